"""Which keys a config has, and which of them are read."""

from ml_collections import ConfigDict


def leaves(config: ConfigDict, prefix: str = "config") -> dict[str, object]:
    result = {}
    for name, value in config.items():
        key = f"{prefix}.{name}"
        result |= leaves(value, key) if isinstance(value, ConfigDict) else {key: value}
    return result


class Recorder:
    """A config that notes which of its leaves are read."""

    def __init__(self, config: ConfigDict, read: set[str], path: str = "config"):
        self._config, self._read, self._path = config, read, path

    def __getitem__(self, name: str):
        value, path = self._config[name], f"{self._path}.{name}"
        if isinstance(value, ConfigDict):
            return Recorder(value, self._read, path)
        self._read.add(path)
        return value

    __getattr__ = __getitem__

    def __contains__(self, name: str) -> bool:
        return name in self._config

    def keys(self):
        return self._config.keys()

    def items(self):
        return [(name, self[name]) for name in self.keys()]

    def to_dict(self):
        return self._config.to_dict()
