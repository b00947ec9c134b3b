"""Plain functions of arrays: no flax, no config, nothing above this folder is imported."""
