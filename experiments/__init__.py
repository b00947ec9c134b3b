"""Thin absl binaries; the work is in spectra_jax."""

import os
import re
import sys

from absl import app, flags


def take_huge_pages() -> None:
  """Starts this program again with glibc's allocations in huge pages, unless GLIBC_TUNABLES is set.

  XLA takes the memory of its temporaries anew in each call, and on a CPU the page faults of small
  pages are a fifth of a training step (`experiments.bench stack`, with and without). The allocator
  reads its tunables when the process starts. Without glibc or huge pages nothing changes.
  """
  if sys.platform == 'linux' and 'GLIBC_TUNABLES' not in os.environ:
    os.environ['GLIBC_TUNABLES'] = 'glibc.malloc.hugetlb=1'
    os.execv(sys.executable, sys.orig_argv)


# While `python -m experiments.train` starts, before anything ran. A benchmark takes what it gets.
if sys.argv[:1] == ['-m'] and 'experiments.train' in sys.orig_argv:
  take_huge_pages()


def parse_flags(argv: list[str]) -> list[str]:
  """absl's flag parser, with one sentence where a config or one of its keys is wrong.

  Use as `app.run(main, flags_parser=parse_flags)`.
  """
  try:
    return flags.FLAGS(argv)
  except flags.Error as error:
    raised = re.findall(r'^\s*\w+Error: (.+)$', str(error), re.MULTILINE)
    if raised:  # by get_config; absl would print its traceback
      sys.exit(f'error: {raised[-1]}')
    return app.parse_flags_with_usage(argv)
  except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
    what = ' '.join(str(error.args[0] if error.args else error).replace('\\n', ' ').split())
    absent = re.search(r"No such file or directory: '([^']+)'", what)
    if absent:
      sys.exit(f'error: {absent[1]} is not there, expected the Python file of a config; correct it')
    unknown = re.fullmatch(r'\W*(\w+)\W*(?:Did you mean "(\w+)".*)?', what)
    if not unknown:
      sys.exit(f'error: {what}; see configs/default.py for the keys and their types')
    key, near = unknown.groups()
    flag = next((word for word in argv if re.search(rf'\b{key}\b', word)), key)
    remedy = f'did you mean {near}?' if near else 'configs/default.py has all there are'
    sys.exit(f'error: {flag} sets a key that the config does not have, {remedy}')
