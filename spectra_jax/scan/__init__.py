"""Recurrences along the token axis and their algorithms: no parameters, no flax."""

from spectra_jax.scan.oscillator import advance_oscillators, oscillator_ssm

__all__ = ['advance_oscillators', 'oscillator_ssm']
