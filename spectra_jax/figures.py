"""Figures as chemists draw them: wavenumbers descend to the right, axes carry units.

Colours are Okabe and Ito's, distinct to colour-blind readers; line styles differ as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

BLACK, ORANGE, BLUE, GREEN = '#000000', '#E69F00', '#0072B2', '#009E73'
VERMILION, SKY, GREY = '#D55E00', '#56B4E9', '#BBBBBB'
KIND_NAMES = {'ir': 'IR', 'raman': 'Raman'}
WAVENUMBER = 'Wavenumber (cm$^{-1}$)'


def reconstructions(nu_L: np.ndarray, panels: Sequence[Mapping[str, Any]]) -> Figure:
  """One row a spectrum: truth, model and conditional Gaussian; hidden bands are shaded."""
  figure = Figure(figsize=(10, 2.3 * len(panels) + 0.8), layout='constrained')
  axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
  for ax, panel in zip(axes, panels, strict=True):
    shade(ax, nu_L, panel['masked'])
    ax.plot(nu_L, panel['true'], color=BLACK, lw=1.4, label='computed spectrum')
    hidden = lambda y, panel=panel: np.where(panel['masked'], y, np.nan)
    ax.plot(
      nu_L, hidden(panel['gaussian']), color=BLUE, lw=1.4, ls=':', label='conditional Gaussian'
    )
    ax.plot(nu_L, hidden(panel['model']), color=VERMILION, lw=1.8, label='model')
    ax.set_title(panel['title'], fontsize=12, loc='left')
    ax.set_ylabel(r'$\sqrt{I}$ / scale', fontsize=12)
  descend(axes[-1], nu_L)
  axes[0].legend(loc='lower left', bbox_to_anchor=(0.35, 1.0), ncols=3, frameon=False, fontsize=12)
  return figure


def shade(ax, nu_L: np.ndarray, masked_L: np.ndarray) -> None:
  """Grey behind every run of masked points."""
  edges = np.flatnonzero(np.diff(np.concatenate([[0], masked_L.astype(int), [0]])))
  for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
    ax.axvspan(nu_L[first], nu_L[last], color='#E8E8E8', lw=0)


def descend(ax, nu_L: np.ndarray) -> None:
  """The wavenumber axis from high to low, labelled."""
  ax.set_xlim(nu_L[-1], nu_L[0])
  ax.set_xlabel(WAVENUMBER, fontsize=12)


def learning_curve(
  records: Sequence[Mapping[str, float]],
  curves: Mapping[str, str],
  levels: Mapping[str, float],
  ylabel: str,
) -> Figure:
  """Curves over the steps from log records, with horizontal lines to beat.

  Args:
    records: the lines of metrics.jsonl.
    curves: record key -> label.
    levels: label -> height of a dashed line, drawn in the colour of the curve of the same place.
    ylabel: what the curves are.
  """
  figure = Figure(figsize=(8, 4.2), layout='constrained')
  ax = figure.subplots()
  styles = [(BLUE, 'o'), (VERMILION, 's'), (GREEN, '^'), (ORANGE, 'D')]
  for (key, label), (colour, marker) in zip(curves.items(), styles, strict=False):
    points = [(r['step'], r[key]) for r in records if key in r]
    ax.plot(*zip(*points, strict=True), color=colour, marker=marker, ms=4, label=label)
  for (label, level), (colour, _) in zip(levels.items(), styles, strict=False):
    ax.axhline(level, color=colour, ls='--', lw=1.2, label=label)
  ax.set_yscale('log')
  ax.yaxis.set_major_formatter('{x:g}')
  ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
  ax.yaxis.set_minor_formatter(NullFormatter())
  ax.set_xlabel('Training step', fontsize=12)
  ax.set_ylabel(ylabel, fontsize=12)
  ax.legend(frameon=False, fontsize=11)
  return figure
