"""Which keys of a config are read: asked of a copy that remembers."""

from ml_collections import ConfigDict


class Recording:
  """A config that remembers which of its keys were read."""

  def __init__(self, config: ConfigDict, read: set, path: str = ''):
    self.__dict__.update(_config=config, _read=read, _path=path)

  def __getitem__(self, name):
    value, path = self._config[name], f'{self._path}{name}'
    if isinstance(value, ConfigDict):
      return Recording(value, self._read, path + '.')
    self._read.add(path)
    return value

  __getattr__ = __getitem__

  def __setattr__(self, name, value):
    self._config[name] = value

  def copy_and_resolve_references(self):
    return Recording(self._config.copy_and_resolve_references(), self._read, self._path)

  def __iter__(self):
    return iter(self._config)

  def __contains__(self, name):
    return name in self._config

  def to_dict(self):
    """Handed whole to a constructor, whose fields are checked elsewhere; the root never is."""
    if self._path:
      self._read.update(f'{self._path}{name}' for name in self._config)
    return self._config.to_dict()

  def to_json(self):
    return self._config.to_json()

  def keys(self):
    return self._config.keys()

  def items(self):
    return [(name, self[name]) for name in self._config]


def leaves(config, path='', values=False):
  """Dotted names of a config's leaves, or pairs of name and value."""
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      yield from leaves(value, f'{path}{name}.', values)
    else:
      yield (f'{path}{name}', value) if values else f'{path}{name}'
