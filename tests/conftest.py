"""Eight fake devices on the CPU for the whole suite; arrays stay on the first one unless asked."""

import os

os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax

jax.config.update('jax_num_cpu_devices', 8)
