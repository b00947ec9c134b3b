"""Every command that is written anywhere names a module, flags, keys and configs that exist."""

import ast
import importlib
import pathlib
import re
import shlex
import subprocess

import pytest

from configs import default

ROOT = pathlib.Path(__file__).parent.parent
TEXT = (ROOT / 'docs' / 'running.md').read_text()
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
PROGRAMS = sorted(
  path for name in ('experiments', 'configs') for path in (ROOT / name).rglob('*.py')
)
BLOCKS = re.findall(r'```bash\n(.*?)```', TEXT, re.DOTALL)
OURS = re.compile(r'python -m experiments\.\w+[^\n`\']*(?:\'[^\n\']*\'[^\n`\']*)*')


def commands(text):
  """Those in it, each as one line."""
  joined = re.sub(r'\s*\\\n\s*', ' ', text)
  return {found.group().strip() for found in OURS.finditer(joined)}


def everywhere():
  docstrings = [ast.get_docstring(ast.parse(path.read_text())) or '' for path in PROGRAMS]
  return sorted(set().union(*map(commands, [*docstrings, *(page.read_text() for page in PAGES)])))


COMMANDS = sorted(commands(TEXT))


def module_of(words):
  assert words[:2] == ['python', '-m']
  path = ROOT / f'{words[2].replace(".", "/")}.py'
  assert path.is_file(), words[2]
  return path


def defined(path):
  """Flags that a binary defines, --noNAME of a boolean too; of bench those of its benchmarks."""
  own = sorted((ROOT / 'experiments').rglob('*.py')) if path.stem == 'bench' else []
  found = [
    one
    for file in (path, *own)
    for one in re.findall(r"DEFINE_(\w+)\(\s*'(\w+)'", file.read_text())
  ]
  return {name for _, name in found} | {f'no{name}' for kind, name in found if kind == 'bool'}


def check_word(word, path):
  """Subcommands and benchmarks; anything else is a file or a data set of the reader's."""
  if path.stem == 'sweep':
    assert f"'{word}'" in path.read_text() or not word.isalpha(), word
  if path.stem == 'bench' and word.isidentifier():
    assert (ROOT / 'experiments' / 'benches' / f'{word}.py').is_file(), word


def check_config(value):
  path, _, variant = value.partition(':')
  module = importlib.import_module(path.removesuffix('.py').replace('/', '.'))
  return module.get_config(*[variant] * bool(variant))


def check_key(key):
  config = default.get_config()
  for part in key.split('.'):
    assert part in config, key
    config = config[part]


@pytest.mark.parametrize('command', everywhere())
def test_modules_flags_keys_and_configs_exist(command):
  words = shlex.split(command, comments=True)
  path = module_of(words)
  for word in words[3:]:
    if word == '--':  # what follows is for the training program
      path = ROOT / 'experiments' / 'train.py'
      continue
    word = word.strip('[]')
    if not word.startswith('--'):
      check_word(word, path)
      continue
    name, _, value = word[2:].partition('=')
    if name.startswith('config.'):
      check_key(name.removeprefix('config.'))
      continue
    assert name in defined(path), f'{name} of {path.name}'
    if name == 'config' and not value.isupper() and 'NAME' not in value:
      check_config(value)
    if name == 'sweep':
      for choice in value.split(';'):
        check_key(choice.partition('=')[0])


def test_each_place_to_run_has_a_command():
  used = {command.split()[2].partition('.')[2] for command in COMMANDS}
  assert {'train', 'launch', 'sweep', 'bench'} <= used
  for word in ('run', 'status', 'report', 'submit', 'resume', 'print'):
    assert any(f'experiments.sweep {word} ' in command for command in COMMANDS), word


@pytest.mark.parametrize('block', BLOCKS)
def test_blocks_are_bash(block):
  done = subprocess.run(['bash', '-n'], input=block, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr


def test_what_has_not_been_run_is_marked():
  sections = re.split(r'(?m)^## ', TEXT)[1:]
  for section in sections:
    title = section.splitlines()[0]
    assert ('(not run)' in title) == ('GPUs' in title or 'TPU' in title), title


def test_extras_and_keys_of_the_text_exist():
  setup = (ROOT / 'setup.py').read_text()
  for extra in re.findall(r"'\.\[(\w+)\]'", TEXT):
    assert re.search(rf"'{extra}'", setup), extra
  for key in re.findall(r'--config\.([\w.]+\w)', TEXT):
    check_key(key)
