"""Prints what is in the computed line lists and how well they keep their laws.

  python -m experiments.inspect_computed [--path=FILE.npz] [--output=FILE.json] [--card=README.md]

The last line of stdout is one JSON object: molecules, centrosymmetric, fsum_max_residual and
exclusion_max_leak (both relative), and more. Five seconds on one core, without the [compute] extra.
"""

import json
import pathlib

from absl import app, flags

from spectra_jax.data import summary
from spectra_jax.datasets import computed

PATH = flags.DEFINE_string('path', '', 'line-list file; the shipped one when empty')
OUTPUT = flags.DEFINE_string('output', None, 'file that gets the JSON object as well')
CARD = flags.DEFINE_string('card', None, 'data card whose generated tables are written anew')


def main(_):
  facts = summary.summary(computed.load_lines(PATH.value))
  for key, value in facts.items():
    print(f'{key:26} {value}')
  if CARD.value:
    path = pathlib.Path(PATH.value) if PATH.value else computed.SHIPPED
    summary.rewrite_card(pathlib.Path(CARD.value), facts, path.with_name('refused.csv'))
  line = json.dumps(facts)
  if OUTPUT.value:
    pathlib.Path(OUTPUT.value).write_text(line + '\n')
  print(line)


if __name__ == '__main__':
  app.run(main)
