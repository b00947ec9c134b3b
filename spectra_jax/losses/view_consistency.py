"""What two views of one sample say of it is to be the same distribution."""

import jax
import jax.numpy as jnp


def view_consistency(
  mean_BxD: jax.Array,
  log_variance_BxD: jax.Array,
  other_mean_BxD: jax.Array,
  other_log_variance_BxD: jax.Array,
) -> jax.Array:
  """(KL(p | q) + KL(q | p)) / 2 of two diagonal Gaussians [nats]: [B],

    1/2 sum_d [ cosh(l - l') - 1 + (m - m')^2 (exp(-l) + exp(-l')) / 2 ].

  It bounds what the latent of one view says that the other view does not know (Federici et al.
  2020, arXiv:2002.07017, eq. 6): of views by two instruments, which of the two it was. At J nats a
  sample of the latent is told right at most 1/2 + sqrt(J / 2) / 2 of the time (Pinsker). Not only
  noise can hide a difference, the latent can also say less of everything; its worth elsewhere keeps
  it from that.
  """
  # cosh d - 1, which loses its digits where views agree.
  spread = 2 * jnp.sinh((log_variance_BxD - other_log_variance_BxD) / 2) ** 2
  sharp = 0.5 * (jnp.exp(-log_variance_BxD) + jnp.exp(-other_log_variance_BxD))
  return 0.5 * (spread + (mean_BxD - other_mean_BxD) ** 2 * sharp).sum(-1)
