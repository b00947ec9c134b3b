"""From values on the axis to features x_BxTxD that a head pools; one file, one `Encoder`.

  __call__(values_BxL, visible_BxL, kind_B, nu_L, train) -> x_BxTxD

Values are read only where they are visible. `nu_L` [cm^-1] is a host array.
"""
