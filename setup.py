"""Package metadata; versions that were tested together are in constraints.txt."""

import pathlib

from setuptools import find_packages, setup

COMPUTE = ['tblite>=0.4', 'rdkit>=2024.3']
CLUSTER = ['submitit>=1.5.2']
GPU = ['jax[cuda12]>=0.10', 'nvidia-ml-py>=12']  # the latter tells what energy a run took
IO = ['brukeropus>=1.4', 'rdata>=1.0', 'renishawWiRE>=0.1.16', 'spc-io>=0.2']
CHEM = ['chemotools>=0.5', 'pybaselines>=1.2', 'PyWavelets>=1.6']
SEARCH = ['usearch>=2.16']
ORACLES = ['jcamp>=1.3']  # what tests compare with
TOOLS = ['pytest>=8', 'pytest-xdist>=3.6', 'hypothesis>=6.100', 'ruff>=0.12']
TEST = [*TOOLS, *COMPUTE, *CLUSTER, *IO, *CHEM, *SEARCH, *ORACLES]

setup(
  name='spectra_jax',
  version='0.1.0',
  description='Physics-informed models of vibrational spectra (IR, NIR, Raman) in JAX',
  long_description=pathlib.Path(__file__).with_name('README.md').read_text(),
  long_description_content_type='text/markdown',
  license='Apache-2.0',
  python_requires='>=3.11',
  packages=find_packages(include=['spectra_jax*', 'experiments*', 'configs*']),
  package_data={'spectra_jax': ['data/*.npz', 'data/*.sha256', 'data/*.md', 'data/*.csv']},
  install_requires=[
    'absl-py>=2.1',
    'flatbuffers>=24.3',  # jax.export writes programs with it
    'flax>=0.12',
    'ikpls>=6.1',
    'jax>=0.10',
    'matplotlib>=3.8',
    'ml-collections>=1.0',
    'numpy>=2.0',
    'optax>=0.2.5',
    'orbax-checkpoint>=0.12',
    'PyYAML>=6',
    'scikit-learn>=1.5',
    'scipy>=1.15',
    'tensorboardX>=2.6.2',
    'tensorflow-datasets>=4.9.8',
    'tqdm>=4.66',
  ],
  extras_require={
    'test': TEST,
    'compute': COMPUTE,
    'cluster': CLUSTER,
    'gpu': GPU,
    'chem': CHEM,
    'io': IO,
    'search': SEARCH,
  },
)
