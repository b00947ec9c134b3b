"""Python in processes of its own: what kills, signals and joins cannot be tried in this one."""

import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).parent.parent


def start(*args: str, devices: int = 1) -> subprocess.Popen:
  """`python *args` in the repository on fake CPU devices; streams are text, errors in stdout."""
  environment = {
    **os.environ,
    'JAX_PLATFORMS': 'cpu',
    'JAX_NUM_CPU_DEVICES': str(devices),
    'PYTHONPATH': str(REPOSITORY),
  }
  return subprocess.Popen(
    [sys.executable, '-u', *args],
    cwd=REPOSITORY,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def finish(process: subprocess.Popen, code: int | None = 0, seconds: float = 400.0) -> str:
  """Output of a process that must end with `code` (None = any)."""
  try:
    output, _ = process.communicate(timeout=seconds)
  finally:
    process.kill()
  assert code is None or process.returncode == code, output
  return output


def wait_for(process: subprocess.Popen, text: str) -> str:
  """Reads lines until one contains `text`, and returns that one."""
  seen = []
  for line in process.stdout:
    seen.append(line)
    if text in line:
      return line
  raise AssertionError(f'{text!r} did not appear in:\n{"".join(seen)}')
