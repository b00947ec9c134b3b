"""The README says what the committed reports say, and its commands name things that are there."""

import json
import pathlib
import re

from experiments import readme

ROOT = pathlib.Path(__file__).parent.parent
TEXT = (ROOT / 'README.md').read_text()


def test_table_is_generated_from_committed_reports():
  assert list(readme.REPORTS.glob('*/report.json'))
  assert readme.updated(TEXT) == TEXT


def test_commands_and_files_exist():
  for module in re.findall(r'python -m (experiments\.\w+)', TEXT):
    assert (ROOT / (module.replace('.', '/') + '.py')).exists(), module
  for link in re.findall(r'\]\(([^)#]+)\)', TEXT):
    assert link.startswith('http') or (ROOT / link).exists(), link
  assert 'pip install -e . && python -m experiments.train' in TEXT
  assert "pip install -e '.[test]' && pytest" in TEXT


def test_printed_run_is_a_committed_report():
  """The block copied from the quick run holds the numbers of its report."""
  report = json.loads((readme.REPORTS / 'quick' / 'report.json').read_text())
  for kind in ('ir', 'raman'):
    assert f'{report["results"][kind]["nre"]:.3f}' in TEXT
