"""Eight fake devices on the CPU for the whole suite; arrays stay on the first one unless asked."""

import os

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# On a busy machine OpenBLAS threads wait for each other: a solve of 4 s took 250 s with two.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import jax

jax.config.update('jax_num_cpu_devices', 8)
