"""Configs from Python files, with overrides from the command line."""

import difflib
import pathlib
import re
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml_collections import ConfigDict


def load_config(path: str | pathlib.Path, overrides: Sequence[str] = ()) -> "ConfigDict":
    """What get_config() of the file at `path` returns, with overrides like --config.seed=1.

    The folder above the file's own is importable while it loads: `from configs import default`.

    Raises:
      ValueError: there is no such file, it fails, or an override names an unknown key, has a value
        of another type, or is none.
    """
    from absl import flags
    from ml_collections import config_flags

    config = _read_config(pathlib.Path(path))
    known = set(_keys(config))
    for override in overrides:
        key = re.sub("^--?(no)?", "", override.partition("=")[0])
        if key.startswith("config.") and key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
            hint = f": did you mean {nearest[0]}?" if nearest else "."
            raise ValueError(f"The config {path} has no key {key}{hint}")
    values = flags.FlagValues()
    try:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=[*overrides])
        stray = values(["gentle-clip", *overrides])[1:]
    except (flags.Error, ValueError) as error:
        raise ValueError(f"An argument cannot be used: {error}.") from error
    if stray:
        raise ValueError(f"Unknown argument {stray[0]}: overrides look like --config.seed=1.")
    return config


def _read_config(path: pathlib.Path) -> "ConfigDict":
    from ml_collections import ConfigDict

    if not path.is_file():
        raise ValueError(f"There is no config {path}: give the path of a .py file to --config.")
    root = str(path.resolve().parents[1])
    sys.path.insert(0, root)
    try:
        config = runpy.run_path(str(path))["get_config"]()
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise ValueError(
            f"The config {path} fails with {type(error).__name__}: {error} "
            f"({line.filename}, line {line.lineno})."
        ) from error
    finally:
        sys.path.remove(root)
    if not isinstance(config, ConfigDict):
        raise ValueError(
            f"get_config() of {path} must return a ConfigDict, not {type(config).__name__}."
        )
    return config


def _keys(config: "ConfigDict", prefix: str = "config") -> Iterator[str]:
    for name, value in config.items():
        yield f"{prefix}.{name}"
        if hasattr(value, "items"):
            yield from _keys(value, f"{prefix}.{name}")
