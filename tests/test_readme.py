"""The README says what the committed reports say, and its commands name things that are there."""

import json
import pathlib
import re

import numpy as np
import pytest

from experiments import readme

ROOT = pathlib.Path(__file__).parent.parent
TEXT = (ROOT / 'README.md').read_text()


@pytest.mark.parametrize('page', readme.PAGES, ids=lambda page: page.stem)
def test_tables_are_generated_from_committed_reports(page):
  text = page.read_text()
  marks = re.findall(r'<!-- (\w+): generated', text)
  assert marks == re.findall(r'<!-- end of (\w+) -->', text) == [*dict.fromkeys(marks)]
  assert {found['name'] for found in readme.MARKED.finditer(text)} == set(marks) != set()
  assert readme.updated(page) == text


def test_commands_and_files_exist():
  for page in readme.PAGES:
    text = page.read_text()
    for module in re.findall(r'python -m (experiments\.\w+)', text):
      assert (ROOT / (module.replace('.', '/') + '.py')).exists(), module
    for link in re.findall(r'\]\(([^)#]+)\)', text):
      assert link.startswith('http') or (page.parent / link).exists(), link
  assert 'pip install -e . && python -m experiments.train' in TEXT
  assert "pip install -e '.[test]' && pytest" in TEXT


def test_printed_run_is_a_committed_report():
  """The block copied from the quick run holds the numbers of its report."""
  report = json.loads((readme.RESULTS / 'pretrain' / 'quick' / 'report.json').read_text())
  (block,) = re.findall(r'```\n(step 0/2500.*?)```', TEXT, re.DOTALL)
  rows = {line.split()[0]: line for line in block.splitlines() if ' [' in line}
  for method in ('model', 'linear', 'nearest', 'gaussian', 'mean'):
    for kind in ('ir', 'raman'):
      found = report['results'][kind]
      low, high = found['intervals'][method]
      value = found['nre' if method == 'model' else method]
      assert f'{value:.3f} [{low:.3f}, {high:.3f}]' in rows[method]
  assert f'"wall_s": {report["wall_s"]}' in block


def test_the_example_runs_and_its_bound_covers_the_truth():
  """A Lorentz band alone: its index is known on the whole axis."""
  blocks = re.findall(r'```python\n(.*?)```', TEXT, re.DOTALL)
  (code,) = [block for block in blocks if 'kramers_kronig' in block]
  names = {}
  exec(code, names)
  nu, k, n, error = (np.asarray(names[name], np.float64) for name in ('nu', 'k', 'n', 'error'))
  lines = lambda x: 0.1 * 10**2 / (x**2 + 10**2)
  hilbert = lambda x: -0.1 * 10 * x / (x**2 + 10**2)  # of one Lorentz line over the whole axis
  mirror = hilbert(-nu - 1700)  # k as an odd function: the line at -1700
  true = 1.45 + hilbert(nu - 1700) + mirror
  np.testing.assert_allclose(k, lines(nu - 1700))
  assert (np.abs(n - true)[1:-1] < error[1:-1]).all()
  assert np.median(error[1:-1]) < 1e-3
