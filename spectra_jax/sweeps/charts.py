"""Charts of a sweep as inline SVG: no script, no library, legible at half their size.

Colours are Okabe and Ito's for a few curves and cividis for values, both distinct to colour-blind
readers; what a colour says is also written, or shown when the pointer rests on a line.
"""

import html
import math
from collections.abc import Mapping, Sequence

from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.ticker import LogLocator, MaxNLocator

from spectra_jax import figures

WIDTH, HEIGHT, FONT = 1200, 560, 24
LETTER = 14  # width of one, about
FEW = len(figures.LAYER_COLOURS)  # curves that have a colour each
DASHES = ('', '14 6', '4 6', '18 6 4 6')
Point = tuple[float, float]


def svg(parts: Sequence[str], title: str, height: int = HEIGHT) -> str:
  """An <svg> of `WIDTH` x `height` around its parts, which are SVG already."""
  head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" font-size="{FONT}">'
  return '\n'.join([head, f'<title>{html.escape(title)}</title>', *parts, '</svg>'])


def text(at: Point, words: str, anchor: str = 'middle', fill: str = '') -> str:
  """Words at a place: black with a white edge, that lines behind them do not cross, or `fill`."""
  style = f'fill="{fill}"' if fill else 'stroke="#ffffff" stroke-width="6" paint-order="stroke"'
  where = f'x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}" {style}'
  return f'<text {where}>{html.escape(words)}</text>'


def path(points: Sequence[Point], colour: str, told: str, dash: str = '', width: float = 3) -> str:
  """A line through `points` that says `told` when pointed at."""
  if len(points) == 1:  # a line of one point shows nothing
    (x, y), *_ = points
    return (
      f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}">'
      f'<title>{html.escape(told)}</title></circle>'
    )
  d = 'M' + 'L'.join(f'{x:.1f},{y:.1f}' for x, y in points)
  style = f'fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"'
  return f'<path d="{d}" {style}><title>{html.escape(told)}</title></path>'


def line(a: Point, b: Point, colour: str = '#000000', width: float = 2) -> str:
  ends = f'x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"'
  return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


class Scale:
  """Values along an axis, as shares of its length.

  Numbers are logarithmic where they span much; anything else has the order in which it comes.
  """

  def __init__(self, values: Sequence, log: bool | None = None):
    """`log` None: when all are positive and the largest is 20 times the least or more."""
    self.numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x in values)
    self.values = sorted(set(values)) if self.numeric else list(dict.fromkeys(map(str, values)))
    self.log = False
    if self.numeric:
      positive = self.values[0] > 0
      self.log = positive and (self.values[-1] >= 20 * self.values[0] if log is None else log)
      low, high = self._of(self.values[0]), self._of(self.values[-1])
      margin = 0.04 * (high - low) or 0.5
      self._low, self._high = low - margin, high + margin

  def _of(self, value: float) -> float:
    return math.log10(value) if self.log else float(value)

  def __call__(self, value: object) -> float:
    """Place of a value, 0 to 1."""
    if not self.numeric:
      return (self.values.index(str(value)) + 0.5) / len(self.values)
    return (self._of(value) - self._low) / (self._high - self._low)

  def ticks(self, most: int) -> list:
    """Values to be written beside the axis: all, or about `most` of them evenly placed."""
    if len(self.values) <= most or not self.numeric:
      return self.values
    found = []
    for i in range(most):
      wanted = i / (most - 1)
      nearest = min(self.values, key=lambda value: abs(self(value) - wanted))
      if nearest not in found:
        found.append(nearest)
    return found

  def round_ticks(self) -> list[float]:
    """Round numbers within the values; the outermost values where there are not two such."""
    low, high = self.values[0], self.values[-1]
    if self.log and high >= 5 * low:
      found = LogLocator(subs=(1, 2, 5)).tick_values(low, high)
    else:
      found = MaxNLocator(5, steps=(1, 2, 5, 10)).tick_values(low, high)
    inside = [float(value) for value in found if low <= value <= high]
    return inside if len(inside) > 1 else list(dict.fromkeys([low, high]))


def written(value: object) -> str:
  """A value as short as it can be read."""
  if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
    return f'{value:.0f}'
  return f'{value:.4g}' if isinstance(value, float) else str(value)


def colours(scores: Mapping[str, float]) -> dict[str, str]:
  """Name -> colour of cividis by its score; the ends, too dark or pale to tell, are left out."""
  if not scores:
    return {}
  scale = Scale(list(scores.values()), log=False)
  return {name: to_hex(colormaps['cividis'](0.9 * scale(x))) for name, x in scores.items()}


def shorten(words: str, most: int) -> str:
  return words if len(words) <= most else f'{words[: most - 1]}…'


def parallel_coordinates(
  rows: Mapping[str, Mapping[str, object]], scores: Mapping[str, float], label: str
) -> str:
  """One vertical axis an override, the last one the score; one line a point.

  Args:
    rows: point -> {override: value}; every point has every override.
    scores: point -> score, of those points that have one; the others are grey and dashed.
    label: of the score.
  """
  names = [*next(iter(rows.values())), label]
  left, top, bottom = 160, 90, HEIGHT - 30
  apart = (WIDTH - 2 * left) / (len(names) - 1)
  fits = max(int(apart / LETTER), 4)  # letters between two axes
  x = {name: left + i * apart for i, name in enumerate(names)}
  values = {name: [row[name] for row in rows.values()] for name in names[:-1]}
  scales = {name: Scale(found) for name, found in values.items()}
  if scores:
    scales[label] = Scale(list(scores.values()))
  place = lambda name, value: (x[name], bottom - scales[name](value) * (bottom - top))
  shade, parts = colours(scores), []
  for point, row in rows.items():
    points = [place(name, row[name]) for name in names[:-1]]
    if point in scores:
      ends = [place(label, scores[point])]
      told = f'{point}: {label} {written(scores[point])}'
      parts.append(path(points + ends, shade[point], told))
    else:
      parts.append(path(points, '#888888', f'{point}: no {label}', dash='8 8', width=2))
  parts += [line((x[name], top), (x[name], bottom)) for name in names]
  for i, name in enumerate(names):  # names take turns in two lines, so each has room for two
    parts.append(text((x[name], 30 + 34 * (i % 2)), shorten(name, 2 * fits - 2)))
    for value in _ticks(scales, name, label):
      _, y = place(name, value)
      side, anchor = (12, 'start') if name == label else (-12, 'end')
      parts.append(line((x[name] - 6, y), (x[name] + 6, y)))
      parts.append(text((x[name] + side, y + 8), shorten(written(value), fits - 1), anchor))
  return svg(parts, f'{label} over {", ".join(names[:-1])}')


def _ticks(scales: Mapping[str, Scale], name: str, label: str) -> list:
  """Values that were chosen, as they are; of the score, if there is one, round numbers."""
  if name != label:
    return scales[name].ticks(6)
  return scales[name].round_ticks() if name in scales else []


def heat_map(
  cells: Mapping[tuple, float], names: tuple[str, str], label: str, counts: Mapping[tuple, int]
) -> str:
  """A table of two overrides whose cells are coloured by their mean score, which is written.

  Args:
    cells: (value down, value across) -> mean score.
    names: of the overrides, down and across.
    label: of the score.
    counts: points in the mean of each cell.
  """
  order = lambda place: Scale([cell[place] for cell in cells]).values
  down, across = order(0), order(1)
  left, top, height = 260, 110, 70
  width = min(220, (WIDTH - left - 20) / len(across))
  shade = colours({f'{key}': value for key, value in cells.items()})
  found = {(_key(a, down), _key(b, across)): (a, b) for a, b in cells}
  parts = [
    text((left, 36), f'{names[1]} →', 'start'),
    text((12, top - 14), f'{names[0]} ↓', 'start'),
  ]
  for j, b in enumerate(across):
    parts.append(text((left + (j + 0.5) * width, 80), shorten(written(b), int(width / LETTER))))
  for i, a in enumerate(down):
    y = top + i * height
    parts.append(text((left - 14, y + 44), shorten(written(a), 18), 'end'))
    for j, b in enumerate(across):
      key = found.get((a, b))
      if key is None:
        parts.append(text((left + (j + 0.5) * width, y + 44), '–'))
        continue
      colour, place = shade[f'{key}'], (left + j * width, y)
      box = f'x="{place[0]:.1f}" y="{y}" width="{width - 3:.1f}" height="{height - 3}"'
      parts.append(f'<rect {box} fill="{colour}"/>')
      words = written(cells[key]) + (f' ({counts[key]})' if counts[key] > 1 else '')
      parts.append(text((place[0] + width / 2, y + 44), words, fill=_on(colour)))
  return svg(parts, f'{label} over {names[0]} and {names[1]}', top + len(down) * height + 20)


def _key(value: object, values: Sequence) -> object:
  return value if value in values else str(value)


def _on(colour: str) -> str:
  """Black or white, whichever is read better on `colour`."""
  red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
  return '#000000' if 0.3 * red + 0.59 * green + 0.11 * blue > 0.45 else '#ffffff'


def learning_curves(
  curves: Mapping[str, Sequence[Point]], scores: Mapping[str, float], label: str
) -> str:
  """{point: [(step, value), ...]}: a few curves have a name each, many are coloured by score."""
  left, right, top, bottom = 120, WIDTH - 30, 20, HEIGHT - 80
  steps = Scale([s for curve in curves.values() for s, _ in curve], log=False)
  heights = Scale([v for curve in curves.values() for _, v in curve])
  place = lambda s, v: (left + steps(s) * (right - left), bottom - heights(v) * (bottom - top))
  few, shade = len(curves) <= FEW, colours(scores)
  parts = [line((left, top), (left, bottom)), line((left, bottom), (right, bottom))]
  for value in heights.round_ticks():
    _, y = place(steps.values[0], value)
    parts += [
      line((left, y), (right, y), '#e4e4e4', 1),
      text((left - 12, y + 8), written(value), 'end'),
    ]
  for value in steps.round_ticks():
    parts.append(text((place(value, heights.values[0])[0], bottom + 34), written(value)))
  told = '' if few else ' (coloured by its last value: dark is low, yellow high)'
  parts.append(text(((left + right) / 2, bottom + 68), f'training step; upwards {label}{told}'))
  legend = []
  for i, (name, curve) in enumerate(curves.items()):
    colour = figures.LAYER_COLOURS[i % FEW] if few else shade.get(name, '#888888')
    dash = DASHES[i % len(DASHES)] if few else ''
    told = f'{name}: {written(curve[-1][1])} at step {curve[-1][0]}'
    parts.append(path([place(*point) for point in curve], colour, told, dash))
    if few:
      y = HEIGHT + 30 + 36 * i
      legend += [path([(left, y - 8), (left + 90, y - 8)], colour, name, dash, 5)]
      legend.append(text((left + 110, y), shorten(name, 76), 'start'))
  height = HEIGHT + 36 * len(curves) + 10 if few else HEIGHT
  return svg([*parts, *legend], f'{label} over the training steps', height)
