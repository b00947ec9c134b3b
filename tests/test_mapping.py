"""The benchmark of mapped steps on eight fake devices; no claims about time."""

import pytest

from experiments.benches import mapping
from tests.test_bench import in_process


@pytest.mark.slow
def test_every_mesh_is_timed_and_fsdp_frees_memory(tmp_path):
  figure = tmp_path / 'mapping.png'
  flags = ('--rounds=1', '--per_device=2', '--variant_mapped=tiny', f'--mapping_figure={figure}')
  result = in_process('mapping', *flags)
  meshes = {'1x1', '2x1', '1x2', '4x1', '1x4', '8x1', '1x8'}
  assert set(result['measured']) == meshes | {'unmapped'}
  size = result['state_bytes']
  assert size['1x1'] == size['8x1'] > 3 * size['1x8']
  assert set(result['weak_over_cores']) == meshes
  assert result['overhead'] > 0
  assert figure.read_bytes()[:4] == b'\x89PNG'
  assert len(mapping.lines(result | {'device': 'here'})) > len(meshes)
