"""Thin absl binaries; the work is in spectra_jax."""
