"""Figures as chemists draw them: wavenumbers descend to the right, axes carry units.

Colours are Okabe and Ito's, distinct to colour-blind readers; line styles differ as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

BLACK, ORANGE, BLUE, GREEN = '#000000', '#E69F00', '#0072B2', '#009E73'
VERMILION, SKY, PURPLE, GREY = '#D55E00', '#56B4E9', '#CC79A7', '#BBBBBB'
KIND_NAMES = {  # of `spectra.KINDS`
  'ir': 'IR',
  'raman': 'Raman',
  'absorbance': 'absorbance',
  'transmittance': 'transmittance',
  'reflectance': 'reflectance',
  'log_reflectance': 'log(1/R)',
  'kubelka_munk': 'Kubelka-Munk',
  'counts': 'counts',
  'n': 'n',
  'k': 'k',
  'atr': 'ATR',
  'baseline': 'baseline',
}
WAVENUMBER = 'Wavenumber (cm$^{-1}$)'
LAYER_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, BLACK, SKY, PURPLE)
LAYER_MARKERS = 'o^sDvP*'


class Along(NamedTuple):
  """How the poles of a layer read that runs along one axis: by two numbers, both in cm^-1."""

  names: tuple[str, str]
  labels: tuple[str, str]
  title: str


ALONG = {
  'wavenumber': Along(
    ('period_along_axis_cm', 'decay_length_along_axis_cm'),
    ('Period along the axis (cm$^{-1}$)', 'Decay length along the axis (cm$^{-1}$)'),
    'lengths along the wavenumber axis, not positions or widths of bands',
  ),
  'retardation': Along(
    ('nu0_cm', 'gamma_cm'),
    (WAVENUMBER, 'Full width at half maximum (cm$^{-1}$)'),
    'oscillators of the interferogram, read as lines',
  ),
}


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


def overlays(nu_L: np.ndarray, panels: Sequence[Mapping[str, Any]]) -> Figure:
  """One row a quantity of a sample: several curves, hidden bands shaded.

  Args:
    nu_L: wavenumbers [cm^-1].
    panels: 'title', 'ylabel', 'masked' [L], 'curves': label -> [L], the first one in black.
  """
  figure = Figure(figsize=(10, 2.3 * len(panels) + 0.8), layout='constrained')
  axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
  styles = [(BLACK, '-', 1.4), (BLUE, ':', 1.4), (VERMILION, '-', 1.4), (GREEN, '--', 1.4)]
  for ax, panel in zip(axes, panels, strict=True):
    shade(ax, nu_L, panel['masked'])
    for (label, y), (colour, line, lw) in zip(panel['curves'].items(), styles, strict=False):
      ax.plot(nu_L, y, color=colour, ls=line, lw=lw, label=label)
    ax.set_title(panel['title'], fontsize=12, loc='left')
    ax.set_ylabel(panel['ylabel'], fontsize=12)
  descend(axes[-1], nu_L)
  handles = axes[0].get_legend_handles_labels()
  figure.legend(*handles, loc='outside upper right', ncols=4, frameon=False, fontsize=12)
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


def shift_curve(shifts_cm: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Figure:
  """Scores against how far held-out spectra were shifted [cm^-1]: {label: score at each shift}."""
  figure = Figure(figsize=(8, 4.2), layout='constrained')
  ax = figure.subplots()
  for k, (label, scores) in enumerate(curves.items()):
    ax.plot(shifts_cm, scores, color=LAYER_COLOURS[k], marker=LAYER_MARKERS[k], label=label)
  ax.set_ylim(0, 1)
  ax.set_xlabel('Shift of the spectrum (cm$^{-1}$)', fontsize=12)
  ax.set_ylabel('Accuracy', fontsize=12)
  ax.legend(frameon=False, fontsize=11)
  return figure


def predicted(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
  """One panel a target: predicted against reference values, with the line on which they agree.

  Args:
    pairs: target -> (reference [N], predicted [N]), in its unit; NaN = not known.
  """
  figure = Figure(figsize=(4.4 * len(pairs), 4.2), layout='constrained')
  for ax, (name, (reference, found)) in zip(
    np.atleast_1d(figure.subplots(1, len(pairs))), pairs.items(), strict=True
  ):
    ax.plot(reference, found, ls='', marker='o', ms=4, color=BLUE)
    ax.axline((np.nanmean(reference), np.nanmean(reference)), slope=1, color=BLACK, lw=1)
    ax.set_title(name, fontsize=12, loc='left')
    ax.set_xlabel('Reference', fontsize=12)
    ax.set_ylabel('Predicted', fontsize=12)
  return figure


def poles_and_gain(layers: Mapping[str, Mapping[str, np.ndarray]], along: str) -> Figure:
  """Poles of linear layers in cm^-1, and beside them how much each layer amplifies.

  Poles beyond the frame are drawn on it; backward layers are hollow and dashed.

  Args:
    layers: 'block/direction' -> 'poles' [2, P], the numbers of `ALONG[along]`; 'at_cm' [T], values
      of the first of them; 'gain_db' [T].
    along: which axis the layers run along, a key of `ALONG`.
  """
  reads, at = ALONG[along], np.concatenate([layer['at_cm'] for layer in layers.values()])
  low, high = at.min(), at.max()
  figure = Figure(figsize=(11, 5.4), layout='constrained')
  left, right = figure.subplots(1, 2)
  blocks = list(dict.fromkeys(name.rpartition('/')[0] for name in layers))
  for name, layer in layers.items():
    block, _, direction = name.rpartition('/')
    k, forward = blocks.index(block), direction == 'forward'
    colour, marker = LAYER_COLOURS[k % len(LAYER_COLOURS)], LAYER_MARKERS[k % len(LAYER_MARKERS)]
    dots = {'marker': marker, 'ms': 5.5, 'mew': 1.1, 'mfc': colour if forward else 'none'}
    line = {'color': colour, 'ls': '-' if forward else '--', 'lw': 1.6}
    first_P, second_P = layer['poles']
    second_P = np.clip(second_P, 1e-4 * low, 30 * high)
    left.plot(np.clip(first_P, low, high), second_P, **{**line, 'ls': ''}, **dots)
    right.plot(layer['at_cm'], layer['gain_db'], **line)
    right.plot([], [], **line, **dots, label=f'{block.replace("_", " ")}, {direction}')
  for ax in (left, right):
    ax.tick_params(labelsize=12)
    ax.grid(color='#E8E8E8', lw=0.8)
    if along == 'wavenumber':
      ax.set_xscale('log')
    else:
      ax.invert_xaxis()
    ax.set_xlabel(reads.labels[0], fontsize=13)
  left.set_yscale('log')
  left.set_ylabel(reads.labels[1], fontsize=13)
  right.set_ylabel('Gain |H|, rms over channels (dB)', fontsize=13)
  left.set_title('Poles: ' + reads.title, fontsize=12, loc='left')
  figure.legend(loc='outside lower center', ncols=4, frameon=False, fontsize=11)
  return figure


def growth(lengths: Sequence[int], panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
  """Milliseconds against tokens, both logarithmic: {panel: {label: ms at each length}}."""
  figure = Figure(figsize=(10, 4.6), layout='constrained')
  for ax, (title, curves) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
    for k, (label, ms) in enumerate(curves.items()):
      style = {'color': LAYER_COLOURS[k], 'marker': LAYER_MARKERS[k], 'lw': 1.8, 'ms': 7}
      ax.loglog(lengths, ms, label=label, **style)
    ax.set_xticks(lengths, [f'{length:,}' for length in lengths])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_title(title, fontsize=13, loc='left')
    ax.set_xlabel('Length of the sequence (tokens)', fontsize=12)
    ax.set_ylabel('Time of one call (ms)', fontsize=12)
    ax.tick_params(labelsize=11)
    ax.grid(alpha=0.3)
  figure.legend(*ax.get_legend_handles_labels(), loc='outside lower center', ncols=3, fontsize=11)
  return figure


def worst_rows(nu_L: np.ndarray, panels: Sequence[Mapping[str, Any]]) -> Figure:
  """One row a law: the curves of a spectrum, grey behind the points that break the law.

  Args:
    nu_L: wavenumbers [cm^-1].
    panels: 'title'; 'curves', label -> [L], one scale; 'where' [L] bool; 'ylabel'.
  """
  count = max(len(panels), 1)
  figure = Figure(figsize=(10, 2.2 * count + 0.6), layout='constrained')
  axes = np.atleast_1d(figure.subplots(count, 1, sharex=True))
  for ax, panel in zip(axes, panels, strict=False):
    where_L = panel['where']
    shade(ax, nu_L, np.convolve(where_L, np.ones(3), 'same') > 0)  # a single point has no width
    styles = zip((BLACK, VERMILION, BLUE), ('-', '--', ':'), strict=True)
    for (label, y_L), (colour, line) in zip(panel['curves'].items(), styles, strict=False):
      ax.plot(nu_L, y_L, color=colour, ls=line, lw=1.4, label=label)
    ax.set_title(panel['title'], fontsize=12, loc='left')
    ax.set_ylabel(panel['ylabel'], fontsize=11)
    ax.tick_params(labelsize=11)
    ax.legend(frameon=False, fontsize=10)
  descend(axes[-1], nu_L)
  return figure


def scaling(panels: Mapping[str, Mapping[str, Sequence[tuple]]]) -> Figure:
  """Errors against what there is more and more of, both logarithmic.

  Args:
    panels: what x is -> label -> points (x, value, low, high).
  """
  figure = Figure(figsize=(5 * len(panels), 4.4), layout='constrained')
  labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
  for ax, (xlabel, curves) in zip(
    np.atleast_1d(figure.subplots(1, len(panels), sharey=True)), panels.items(), strict=True
  ):
    for label, points in curves.items():
      k, (x, value, low, high) = labels.index(label), np.transpose(points)
      style = {'color': LAYER_COLOURS[k], 'marker': LAYER_MARKERS[k], 'lw': 1.8, 'ms': 7}
      ends = np.clip([value - low, high - value], 0, None)
      ax.errorbar(x, value, ends, capsize=3, label=label, **style)
    ax.set_xscale('log')
    ax.set_yscale('log')
    for axis, shown in ((ax.xaxis, '{x:,.0f}'), (ax.yaxis, '{x:g}')):
      axis.set_major_formatter(shown)
      axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
      axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(xlabel, fontsize=12)
    ax.tick_params(labelsize=11)
    ax.grid(alpha=0.3)
  figure.axes[0].set_ylabel('NRE (masked error / mean spectrum)', fontsize=12)
  handles = {
    l: h for ax in figure.axes for h, l in zip(*ax.get_legend_handles_labels(), strict=True)
  }
  figure.legend(handles.values(), handles, loc='outside lower center', ncols=2, frameon=False)
  return figure


METHODS = {  # label, colour, marker, line of each Kramers-Kronig transform
  'hilbert': ('Hilbert transform of the window', GREY, 'v', ':'),
  'fft_pad2': ('FFT of the odd extension, pad 2', SKY, '<', '--'),
  'fft_pad8': ('FFT of the odd extension, pad 8', BLUE, '>', '--'),
  'trapezoid': ('trapezoid, pole removed', ORANGE, '^', '-.'),
  'piecewise_linear': ('piecewise linear, exact', PURPLE, 'D', '-.'),
  'maclaurin': ('Maclaurin, a dense matrix', GREEN, 's', '--'),
  'ours': ('ours', VERMILION, 'o', '-'),
  'ours_float32': ('ours, float32', BLACK, '.', ':'),
  'bound': ('bound on ours', BLACK, '', '-'),
}


def transforms(
  curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
  laws: Mapping[str, tuple[Sequence[float], Sequence[float]]],
  labels: tuple[str, str],
  scale: str,
) -> Figure:
  """Errors or times of Kramers-Kronig transforms, logarithmic in y.

  Args:
    curves: key of `METHODS` -> (x, y).
    laws: label -> (x, y), grey and thick, behind them.
    labels: of x and y.
    scale: of x, 'log' or 'symlog'.
  """
  figure = Figure(figsize=(9, 5.6), layout='constrained')
  ax = figure.subplots()
  for label, (x, y) in laws.items():
    ax.plot(x, y, color='#DDDDDD', lw=9, label=label, zorder=0)
  for name, (label, colour, marker, line) in METHODS.items():
    if name in curves:
      style = {'color': colour, 'marker': marker, 'ls': line, 'lw': 2, 'ms': 7}
      ax.plot(*curves[name], label=label, **style)
  ax.set_yscale('log')
  ax.set_xscale(scale)
  ax.xaxis.set_major_formatter('{x:,g}')
  ax.set_xlabel(labels[0], fontsize=14)
  ax.set_ylabel(labels[1], fontsize=14)
  ax.tick_params(labelsize=13)
  ax.grid(color='#EEEEEE', lw=0.8)
  figure.legend(loc='outside lower center', ncols=3, frameon=False, fontsize=12)
  return figure


def intervals(panels: Sequence[Mapping[str, Any]]) -> Figure:
  """Numbers with their intervals, a row each; one panel a column of a table.

  Args:
    panels: 'title'; 'points', dicts of 'section' ('' = none), 'label', 'value', 'ends' (low, high)
      or None, and 'kind': 'model' is filled, 'published' a cross, a baseline hollow.
  """
  named = lambda point: (point['section'], point['label'])
  points = [point for panel in panels for point in panel['points']]
  sections = list(dict.fromkeys(point['section'] for point in points))
  rows = []
  for section in sections:
    rows += [(section, '')] if section else []
    rows += dict.fromkeys(named(point) for point in points if point['section'] == section)
  texts = [label or section for section, label in rows]
  size = (1.2 + 0.085 * max(map(len, texts)) + 3.0 * len(panels), 1.2 + 0.32 * len(rows))
  figure = Figure(figsize=size, layout='constrained')
  axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
  styles = {'model': ('o', VERMILION, VERMILION), 'published': ('x', BLUE, BLUE)}
  for ax, panel in zip(axes, panels, strict=True):
    for point in panel['points']:
      y, (marker, colour, face) = (
        rows.index(named(point)),
        styles.get(point['kind'], ('o', BLACK, 'white')),
      )
      if point['ends'] is not None:
        ax.plot(point['ends'], (y, y), color=colour, lw=2.2, alpha=0.55, solid_capstyle='butt')
      ax.plot(point['value'], y, marker=marker, color=colour, mfc=face, mew=1.5, ms=7)
    for y in (y for y, (_, label) in enumerate(rows) if not label):
      ax.axhspan(y - 0.45, y + 0.45, color='#F2F2F2', zorder=0)
    ax.set_title(panel['title'], fontsize=12, loc='left')
    ax.tick_params(labelsize=11)
    ax.tick_params(axis='y', length=0)
    ax.grid(axis='x', color='#E8E8E8', lw=0.8)
    ax.set_axisbelow(True)
    ax.spines[['top', 'right', 'left']].set_visible(False)
  axes[0].set_yticks(range(len(rows)), texts)
  axes[0].set_ylim(len(rows) - 0.5, -0.5)
  return figure
