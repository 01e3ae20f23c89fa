"""Configs from Python files, shipped or a user's own, with overrides from the command line."""

import difflib
import importlib.util
import pathlib
import re
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_SHIPPED = "gentle_clip_jax.configs"
_SHOWN = 80  # letters of a wrong argument


def load_config(name_or_path: str | pathlib.Path, overrides: Sequence[str] = ()) -> "ConfigDict":
    """What get_config() of a config returns, with overrides like --config.seed=1.

    `name_or_path` is the name of a config that comes with the package, such as icons, or the path
    of a .py file. One config takes another by `from gentle_clip_jax.configs import default`.

    Raises:
      ValueError: there is no such config, it fails, or an override names an unknown key, has a
        value of another type, or is none.
    """
    from absl import flags
    from ml_collections import config_flags

    config = _read_config(name_or_path)
    known = set(_keys(config))
    for override in overrides:
        key = re.sub("^--?(no)?", "", override.partition("=")[0])
        if key.startswith("config.") and key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
            hint = f": did you mean {nearest[0]}?" if nearest else "."
            raise ValueError(f"The config {name_or_path} has no key {key}{hint}")
    values = flags.FlagValues()
    try:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=[*overrides])
        stray = values(["gentle-clip", *overrides])[1:]
    except (flags.Error, ValueError) as error:
        text = str(error).rstrip(".")
        if found := re.match(r"flag --(?:no)?(config[\w.]*)", text):
            shown = text.removeprefix("flag ").partition(": ")[0][:_SHOWN]
            raise ValueError(
                f"{shown} cannot be used: {found[1]} is {_kind(config, found[1])}."
            ) from error
        raise ValueError(
            f"An argument cannot be used ({text}): overrides look like --config.seed=1."
        ) from error
    if stray:
        raise ValueError(
            f"Unknown argument {stray[0][:_SHOWN]}: overrides look like --config.seed=1."
        )
    return config


def _read_config(name_or_path: str | pathlib.Path) -> "ConfigDict":
    from ml_collections import ConfigDict

    path = _find(name_or_path)
    try:
        config = runpy.run_path(str(path))["get_config"]()
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise ValueError(
            f"The config {name_or_path} fails with {type(error).__name__}: {error} "
            f"({line.filename}, line {line.lineno})."
        ) from error
    if not isinstance(config, ConfigDict):
        raise ValueError(
            f"get_config() of {name_or_path} must return a ConfigDict, not {type(config).__name__}."
        )
    return config


def _find(name_or_path: str | pathlib.Path) -> pathlib.Path:
    path, folder = pathlib.Path(name_or_path), _shipped_folder()
    shipped = {file.stem: file for file in folder.glob("[!_]*.py")}
    if str(path) in shipped:
        return shipped[str(path)]
    if path.suffix == ".py" and path.is_file():
        return path
    nearest = difflib.get_close_matches(path.stem, shipped, n=1)
    hint = f"; the nearest is {nearest[0]}" if nearest else ""
    raise ValueError(
        f"There is no config {name_or_path}: give the path of a .py file, or one of "
        f"{', '.join(sorted(shipped))}{hint}."
    )


def _shipped_folder() -> pathlib.Path:
    """The folder of the package's own configs, which can be imported from then on."""
    spec = importlib.util.find_spec(_SHIPPED)
    if spec is None:  # a checkout that is not installed: they are beside the package
        beside = pathlib.Path(__file__).parents[1] / "configs" / "__init__.py"
        spec = importlib.util.spec_from_file_location(_SHIPPED, beside)
        assert spec
        sys.modules[_SHIPPED] = importlib.util.module_from_spec(spec)
    assert spec.origin
    return pathlib.Path(spec.origin).parent


def _kind(config: "ConfigDict", key: str) -> str:
    """What a key holds, in words."""
    value: Any = config
    for name in key.split(".")[1:]:
        value = value[name]
    kinds = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
    return kinds.get(type(value), "a tuple" if isinstance(value, tuple) else "a group of keys")


def _keys(config: "ConfigDict", prefix: str = "config") -> Iterator[str]:
    for name, value in config.items():
        yield f"{prefix}.{name}"
        if hasattr(value, "items"):
            yield from _keys(value, f"{prefix}.{name}")
