"""Eight fake devices on the CPU for the whole suite; arrays stay on the first one unless asked."""

import os

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# OpenBLAS threads wait for each other on a busy machine: a tiny run took 300 s, with one 28 s.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

# Most of the suite is compilation of programs that run once; runs in other processes inherit this.
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')

import jax

jax.config.update('jax_num_cpu_devices', 8)
