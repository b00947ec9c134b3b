"""Percent cells become a page; the tour runs and its page has the cells of its script."""

import json
import pathlib
import re

import pytest

from spectra_jax import notebook
from tests import processes

DOCS = pathlib.Path(__file__).parent.parent / 'docs'
SCRIPT = """# %% [markdown]
# # Title
#
#     code in text

# %%
import matplotlib.pyplot as plt

x = 20 + 1
print(x)
plt.plot([0, x])

# %%

# %%
print(2 * x)
"""


def test_a_script_becomes_its_text_code_output_and_figures(tmp_path):
  path = tmp_path / 'made.py'
  path.write_text(SCRIPT)
  page, drawn = notebook.render(path, tmp_path)
  assert page.startswith('# Title\n\n    code in text\n\n```python\nimport matplotlib')
  assert '```text\n21\n```\n\n![made, figure 1](made_1.png)' in page
  assert page.endswith('```python\nprint(2 * x)\n```\n\n```text\n42\n```\n')
  assert drawn == ['made_1.png']
  assert (tmp_path / 'made_1.png').stat().st_size > 1000


def test_an_error_names_the_line_of_the_script(tmp_path):
  path = tmp_path / 'wrong.py'
  path.write_text('# %%\nx = 1\n\n# %%\ny = 2\nraise RuntimeError("here")\n')
  with pytest.raises(RuntimeError, match='here') as caught:
    notebook.render(path, tmp_path)
  assert caught.traceback[-1].lineno + 1 == 6
  for text, words in (
    ('x = 1\n# %%\n', 'line 1 is before'),
    ('# %% [markdown]\ntext\n', "line 'text'"),
  ):
    with pytest.raises(ValueError, match=words):
      notebook.cells(text)


def test_the_page_of_the_tour_has_the_cells_of_its_script():
  told = re.findall(r'```python\n(.*?)\n```', (DOCS / 'tour.md').read_text(), re.DOTALL)
  assert told == [
    cell.source for cell in notebook.cells((DOCS / 'tour.py').read_text()) if not cell.text
  ]


@pytest.mark.slow
def test_the_tour_runs(tmp_path):
  words = ('-m', 'experiments.render', '--script=docs/tour.py', f'--folder={tmp_path}')
  output = processes.finish(processes.start(*words), seconds=900)
  document = json.loads(output.splitlines()[-1])
  page = (tmp_path / 'tour.md').read_text()
  assert all((tmp_path / name).exists() for name in document['figures'])
  learned, mean = (
    float(re.search(rf'{what}[^\n]*RMSEP ([\d.]+)', page)[1]) for what in ('LoRA', 'mean of')
  )
  assert learned < 0.5 * mean
