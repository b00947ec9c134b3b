"""Draws docs/pipeline.png: a spectrum's way from line list to reconstruction.

python docs/pipeline.py
"""

import pathlib

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from spectra_jax.datasets import computed
from spectra_jax.figures import BLACK, BLUE, VERMILION, shade
from spectra_jax.spectra import uniform_axis
from spectra_jax.tasks.masked import visible_points
from spectra_jax.tokenize import cubic_b_spline, token_positions

MOLECULE = 'CC(N)=O'  # acetamide
STEPS = (
  ('datasets/', 'line lists of computed\nmolecules, broadened', 'cm⁻¹, km/mol, Å⁴/amu'),
  ('tasks/', 'hide bands,\nscale what is left', 'on the raw axis, in cm⁻¹'),
  ('tokenize.py', 'wide spline kernels', 'a token every 14 cm⁻¹'),
  ('backbones/', 'D-LinOSS blocks,\nboth directions', 'damped oscillators'),
  ('heads/', 'spline coefficients', 'values on any grid'),
  ('losses/  metrics', 'masked error against\nfour baselines', 'NRE with intervals'),
)


def draw() -> Figure:
  """The stages as boxes; under them the line list, the masked spectrum and the tokens' kernels."""
  figure = Figure(figsize=(12, 5.2), layout='constrained')
  top, bottom = figure.subplots(2, 1, height_ratios=(1, 1.5))
  _boxes(top)
  _spectrum(bottom)
  return figure


def _boxes(ax) -> None:
  ax.set_xlim(0, 12)
  ax.set_ylim(0, 2)
  ax.axis('off')
  for i, (name, does, units) in enumerate(STEPS):
    left = 2 * i + 0.08
    box = FancyBboxPatch((left, 0.1), 1.72, 1.75, 'round,pad=0,rounding_size=0.1', fc='#F3F6FA')
    ax.add_patch(box)
    middle = left + 0.86
    ax.text(middle, 1.58, name, ha='center', fontsize=10, family='monospace', color=BLUE)
    ax.text(middle, 0.98, does, ha='center', va='center', fontsize=10)
    ax.text(middle, 0.3, units, ha='center', fontsize=9, color='#555555')
    if i:
      ax.add_patch(
        FancyArrowPatch((left - 0.3, 1), (left + 0.02, 1), arrowstyle='-|>', mutation_scale=14)
      )


def _spectrum(ax) -> None:
  lines = computed.load_lines()
  molecule = int(np.flatnonzero(lines.smiles == MOLECULE)[0])
  nu = uniform_axis(400.0, 4000.0, 1024)
  dense = np.sqrt(computed.render(lines, 'ir', nu, 'lorentz', (16.0,))[molecule])
  visible = np.asarray(visible_points(jax.random.key(5), nu, 0.4, 60.0))
  modes = lines.modes(molecule)
  stick = np.sqrt(lines.ir_intensity[modes] * 2 / np.pi / 16.0)
  shade(ax, nu, ~visible)
  ax.vlines(lines.frequency[modes], 0, stick, color=BLUE, lw=1.2, label='computed lines')
  ax.plot(nu, dense, color=BLACK, lw=1.3, label='broadened, Lorentz 16 cm$^{-1}$')
  knot, low = 7.0, -0.9
  for place in token_positions(nu, 14.0)[::6]:
    kernel = cubic_b_spline((nu - place) / (4 * knot))
    ax.plot(nu[kernel > 0], low + 0.9 * kernel[kernel > 0], color=VERMILION, lw=0.8)
  ax.plot([], [], color=VERMILION, lw=0.8, label='tokens (every sixth)')
  ax.set_xlim(nu[-1], nu[0])
  ax.set_xlabel('Wavenumber (cm$^{-1}$)', fontsize=12)
  ax.set_ylabel(r'$\sqrt{I}$,  $I$ in km mol$^{-1}$ cm', fontsize=12)
  ax.set_title(f'IR of {MOLECULE}; grey: hidden from the model', fontsize=12, loc='left')
  ax.set_yticks(range(5))
  ax.legend(loc='upper left', bbox_to_anchor=(0.13, 1.0), frameon=False, fontsize=11)


if __name__ == '__main__':
  draw().savefig(pathlib.Path(__file__).with_suffix('.png'), dpi=110)
