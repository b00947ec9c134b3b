"""The page of a sweep: all that the folders say, nothing else, and safe to open."""

import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import image

from spectra_jax import figures
from spectra_jax.sweeps import charts, page

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
MAGENTA, LIME = (255, 0, 255), (0, 255, 0)
NASTY = '<script>document.body.style.background="#00ff00"</script>&"\''
NAMES = ['a=1,b=x', 'a=1,b=y z#%3F?', 'a=2,b=x', 'a=2,b=y z#%3F?', 'a=3,b=x', 'a=3,b=y z#%3F?']


def make(root, report=True):
  """Six points: two finished, one failed, one stopped while it ran, two that wait."""
  values = [(a, b) for a in (1, 2, 3) for b in ('x', NASTY)]
  points = [
    {'name': name, 'overrides': {'a': a, 'head.b': b}, 'identity': f'{i}' * 64}
    for i, (name, (a, b)) in enumerate(zip(NAMES, values, strict=True))
  ]
  document = {'config': 'configs/x.py:<tiny>', 'points': points}
  (root / 'sweep.json').write_text(json.dumps(document))
  for i, name in enumerate(NAMES[:4]):
    (root / name / 'figures').mkdir(parents=True)
    chosen = {'best_metric': 'nre', 'best_mode': 'min'}
    config = {'identity': f'{i}' * 64, 'config': {'train': {'steps': 20}, 'checkpoint': chosen}}
    (root / name / 'config.json').write_text(json.dumps(config))
    lines = [{'step': s, 'val/nre': 2.0 / (1 + s) + 0.125 * (4 - i)} for s in (0, 10, 20)]
    text = '\n'.join(map(json.dumps, [*lines, {'step': 20, 'val/nre': None}])) + '\n{"step": 2'
    (root / name / 'metrics.jsonl').write_text(text)
  for name, nre in zip(NAMES[:2], (0.625, 0.5), strict=True):
    results = {'ir': {'nre': nre, 'interval': [nre - 0.1, nre + 0.1]}, 'laws': {'overlap': 0.1}}
    (root / name / 'report.json').write_text(json.dumps({'results': results, 'wall_s': 90.0}))
  ended = {'returncode': 3, 'last_lines': ['Traceback', f'ValueError: {NASTY}'], 'finished': ''}
  (root / NAMES[2] / 'exit.json').write_text(json.dumps(ended))
  (root / NAMES[2] / 'log.txt').write_text('log')
  picture = np.full((40, 400, 3), MAGENTA, np.uint8)
  image.imsave(root / NAMES[1] / 'figures' / 'c<urve>.png', picture)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  root = tmp_path_factory.mktemp('sweep')
  make(root)
  path = page.write(root)
  return root, path, path.read_text()


class Parser(html.parser.HTMLParser):
  """Tags with their attributes, and the cells of the table."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.rows, self._inside = [], [], False
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    if tag == 'tr':
      self.rows.append([])
    if tag in ('td', 'th'):
      self.rows[-1].append('')
    self._inside = self._inside or tag in ('td', 'th')

  def handle_endtag(self, tag):
    self._inside = self._inside and tag not in ('td', 'th')

  def handle_data(self, data):
    if self._inside:
      self.rows[-1][-1] += data


def test_the_table_says_what_the_folders_say(written):
  head, *rows = Parser(written[2]).rows
  assert head == ['point', 'state', 'step', 'validation nre', 'test ir [95 %]', 'minutes', 'a', 'b']
  assert [row[0].split(' report')[0].split(' log')[0] for row in rows] == NAMES
  assert [row[1].split()[1].rstrip(',') for row in rows] == [
    *('finished', 'finished', 'failed', 'waiting', 'waiting', 'waiting')
  ]
  assert [row[2] for row in rows] == ['20/20'] * 4 + ['0/?'] * 2
  assert [row[7] for row in rows] == ['x', NASTY] * 3
  last = [2 / 21 + 0.125 * (4 - i) for i in range(4)]
  best = [False, True, False, False]  # of those that are finished
  marked = [f'{x:.4g}{" ★ best" * b}' for x, b in zip(last, best, strict=True)]
  assert [row[3] for row in rows] == [*marked, '', '']
  assert [row[4] for row in rows] == ['0.625 [0.525, 0.725]', '0.5 [0.400, 0.600]', '', '', '', '']
  assert rows[0][5] == '1.5'
  assert f'ValueError: {NASTY}' in rows[2][1]


def test_everything_is_escaped_and_nothing_leaves_the_folder(written):
  root, path, text = written
  tags = Parser(text).tags
  assert {'script', 'link', 'iframe', 'object'}.isdisjoint(tag for tag, _ in tags)
  links = [a[key] for _, a in tags for key in ('src', 'href') if key in a]
  assert len(links) > 4
  for link in links:
    assert re.fullmatch(r'[\w.,%/-]+', link), link
    assert (root / unquote(link)).is_file(), link
  assert path.name == 'index.html'
  assert '<tiny>' not in text


def test_the_charts_have_each_point(written):
  svgs = [ET.fromstring(x) for x in re.findall(r'<svg.*?</svg>', written[2], re.DOTALL)]
  coordinates, cells, curves = svgs
  assert len(coordinates.findall('path')) == 6
  assert sum('8 8' in p.get('stroke-dasharray') for p in coordinates.findall('path')) == 2
  assert len(cells.findall('rect')) == 4
  assert [p.find('title').text.split(':')[0] for p in curves.findall('path')[:4]] == NAMES[:4]


def test_a_sweep_that_has_not_begun_has_a_page(tmp_path):
  make(tmp_path)
  for name in NAMES[:4]:
    shutil.rmtree(tmp_path / name)
  assert page.write(tmp_path).read_text().count('· waiting') == 6
  document = json.loads((tmp_path / 'sweep.json').read_text())
  document['points'] = [{**document['points'][0], 'overrides': {}}]
  (tmp_path / 'sweep.json').write_text(json.dumps(document))
  assert '<svg' not in page.write(tmp_path).read_text()


def test_points_without_an_override_are_drawn_as_in_the_config(tmp_path):
  make(tmp_path)
  document = json.loads((tmp_path / 'sweep.json').read_text())
  del document['points'][0]['overrides']['a']
  (tmp_path / 'sweep.json').write_text(json.dumps(document))
  coordinates = re.search(r'<svg.*?</svg>', page.write(tmp_path).read_text(), re.DOTALL).group()
  told = [element.text for element in ET.fromstring(coordinates).findall('text')]
  assert {'a', 'b', page.AS_IT_IS, '1', '2', '3'} <= set(told)


def test_another_folder_is_refused(tmp_path):
  with pytest.raises(ValueError, match=r'sweep\.json is missing'):
    page.write(tmp_path)
  assert list(tmp_path.iterdir()) == []


def test_headline_of_other_results():
  assert page.headline({'auc': 0.5, 'n': 3, 'flag': True, 'text': 'a'}) == {
    'auc': (0.5, None),
    'n': (3, None),
  }


numbers = st.one_of(st.integers(-50, 10**6), st.floats(-1e9, 1e9))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(numbers, st.booleans(), st.text(max_size=4)), min_size=1, max_size=8))
def test_places_are_within_the_axis_and_keep_the_order(values):
  scale = charts.Scale(values)
  places = [scale(value) for value in values]
  assert all(0 <= place <= 1 for place in places)
  assert len(scale.ticks(6)) <= max(6, len(scale.values) * (not scale.numeric))
  if scale.numeric:
    assert sorted(values) == [values[i] for i in np.argsort(places, kind='stable')] or len(
      set(places)
    ) < len(set(values))
    assert all(scale.values[0] <= tick <= scale.values[-1] for tick in scale.round_ticks())


@pytest.mark.parametrize('count', [1, 7, 8])
def test_a_few_curves_have_names_and_many_the_colour_of_their_score(count):
  curves = {f'p{i}': [(0, 1.0), (10, 0.5 + i)] for i in range(count)}
  drawn = ET.fromstring(charts.learning_curves(curves, {f'p{i}': i for i in range(count)}, 'nre'))
  colours = [p.get('stroke') for p in drawn.findall('path')][:count]
  assert len(set(colours)) == count
  named = [t.text for t in drawn.findall('text') if t.text in curves]
  assert named == (list(curves) if count <= charts.FEW else [])


@pytest.mark.skipif(CHROMIUM is None, reason='there is no chromium on this machine')
def test_a_browser_shows_it_and_runs_nothing(written, tmp_path):
  _, path, _ = written
  shot = tmp_path / 'shot.png'
  browser = [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars']
  options = [f'--user-data-dir={tmp_path / "profile"}', '--window-size=1300,2800']
  done = subprocess.run(
    [*browser, *options, '--enable-logging=stderr', f'--screenshot={shot}', path.as_uri()],
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  assert 'CONSOLE' not in done.stderr, done.stderr  # neither errors nor refused requests
  pixels = np.round(image.imread(shot)[..., :3] * 255).astype(int)
  seen = lambda colour: int((pixels == colour).all(-1).sum())
  assert seen(MAGENTA) > 10_000  # the best point's figure, whose link needs quoting
  assert seen(LIME) == 0
  assert seen((255, 255, 255)) > pixels[..., 0].size / 2
  for colour in figures.LAYER_COLOURS[:4]:  # the learning curves
    assert seen(tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))) > 100, colour


def test_the_page_is_written_whole_or_not_at_all(written, monkeypatch):
  _, path, text = written
  monkeypatch.setattr(page, '_charts', lambda *_: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    page.write(path.parent)
  assert pathlib.Path(path).read_text() == text
