"""docs/running.md: every command names a module, flags, keys and configs that exist."""

import importlib
import pathlib
import re
import shlex
import subprocess

import pytest

from configs import default

ROOT = pathlib.Path(__file__).parent.parent
TEXT = (ROOT / 'docs' / 'running.md').read_text()
BLOCKS = re.findall(r'```bash\n(.*?)```', TEXT, re.DOTALL)
OURS = re.compile(r'python -m experiments\.\w+[^\n`\']*(?:\'[^\n\']*\'[^\n`\']*)*')
COMMANDS = sorted({found.group().strip() for found in OURS.finditer(TEXT)})
ABSL = ('verbosity',)


def module_of(words):
  assert words[:2] == ['python', '-m']
  path = ROOT / f'{words[2].replace(".", "/")}.py'
  assert path.is_file(), words[2]
  return path


def defined(path):
  """Flags that a binary defines, by name, with the word that says of what type."""
  return {name: kind for kind, name in re.findall(r"DEFINE_(\w+)\(\s*'(\w+)'", path.read_text())}


def check_config(value):
  path, _, variant = value.partition(':')
  module = importlib.import_module(path.removesuffix('.py').replace('/', '.'))
  return module.get_config(*[variant] * bool(variant))


def check_key(key):
  config = default.get_config()
  for part in key.split('.'):
    assert part in config, key
    config = config[part]


@pytest.mark.parametrize('command', COMMANDS)
def test_modules_flags_keys_and_configs_exist(command):
  words = shlex.split(command)
  path = module_of(words)
  for word in words[3:]:
    if word == '--':  # what follows is for the training program
      path = ROOT / 'experiments' / 'train.py'
      continue
    if not word.startswith('--'):
      assert (
        f"'{word}'" in path.read_text() or (ROOT / 'experiments/benches' / f'{word}.py').is_file()
      )
      continue
    name, _, value = word[2:].partition('=')
    if name.startswith('config.'):
      check_key(name.removeprefix('config.'))
      continue
    assert name in defined(path), f'{name} of {path.name}'
    if name == 'config':
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
