"""Configs from Python files, packaged or a user's own, with overrides from the command line."""

import difflib
import inspect
import pathlib
import re
import runpy
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_SHOWN = 80  # characters of a wrong argument that a message quotes


def load_config(name_or_path: str | pathlib.Path, overrides: Sequence[str] = ()) -> "ConfigDict":
    """Load a config and apply overrides like --config.seed=1.

    `name_or_path` is the name of a config that comes with the package, such as icons, or the path
    of a .py file. The file has a function `get_config(base)`: `base(name)` returns the config to
    start from, the defaults of a task ("icons", "captioned_images" or "proteins") or another
    config, by its name or by its path relative to the folder of the file.

    Raises:
      ValueError: there is no such config, it fails, or an override is malformed, names an unknown
        key or has a value of another type.
    """
    from absl import flags
    from ml_collections import config_flags

    config = _read_config(_find(name_or_path))
    existing = set(_keys(config))
    for override in overrides:
        key = re.sub("^--?(no)?", "", override.partition("=")[0])
        if key.startswith("config.") and key not in existing:
            nearest = difflib.get_close_matches(key, existing, n=1, cutoff=0.8)
            hint = f": did you mean {nearest[0]}?" if nearest else "."
            raise ValueError(f"The config {name_or_path} has no key {key}{hint}")
    values = flags.FlagValues()
    try:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=[*overrides])
        stray = values(["gentle-clip", *overrides])[1:]
    except (flags.Error, ValueError) as error:
        text = str(error).rstrip(".")
        if match := re.match(r"flag --(?:no)?(config[\w.]*)", text):
            shown = text.removeprefix("flag ").partition(": ")[0][:_SHOWN]
            raise ValueError(
                f"{shown} cannot be used: {match[1]} must be {_kind(config, match[1])}."
            ) from error
        raise ValueError(
            f"An argument cannot be used ({text}): overrides look like --config.seed=1."
        ) from error
    if stray:
        raise ValueError(
            f"Unknown argument {stray[0][:_SHOWN]}: overrides look like --config.seed=1."
        )
    return config


def _read_config(path: pathlib.Path, above: tuple[pathlib.Path, ...] = ()) -> "ConfigDict":
    """Return the config in a file; `above` lists the configs that are based on it."""
    from ml_collections import ConfigDict

    from gentle_clip_jax import tasks

    def base(name: str) -> ConfigDict:
        if name in tasks.TASKS:
            return tasks.default_config(name)
        return _read_config(_find(name, path.parent, tasks.TASKS), (*above, path))

    try:
        if path in above:
            raise ValueError("it is based on itself")
        get_config = runpy.run_path(str(path))["get_config"]
        if len(inspect.signature(get_config).parameters) != 1:
            raise TypeError('get_config must take one argument, as in config = base("icons")')
        config = get_config(base)
    except Exception as error:
        lines = traceback.extract_tb(error.__traceback__)
        own = [line for line in lines if line.filename == str(path)] or lines
        raise ValueError(
            f"The config {path} fails with {type(error).__name__}: "
            f"{str(error).removesuffix('.')} ({own[-1].filename}, line {own[-1].lineno})."
        ) from error
    if not isinstance(config, ConfigDict):
        raise ValueError(
            f"get_config() of {path} must return a ConfigDict, not {type(config).__name__}."
        )
    return config


def _find(
    name_or_path: str | pathlib.Path,
    folder: pathlib.Path = pathlib.Path(),
    others: Sequence[str] = (),
) -> pathlib.Path:
    """Return the file of a config; paths are relative to `folder`, `others` are further names."""
    shipped = {file.stem: file for file in _shipped_folder().glob("*.py")}
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    path = folder / name_or_path
    if path.suffix == ".py" and path.is_file():
        return path
    names = sorted({*shipped, *others})
    nearest = difflib.get_close_matches(path.stem, names, n=1)
    hint = f". Did you mean {nearest[0]}?" if nearest else "."
    raise ValueError(
        f"There is no config {name_or_path}: give the path of a .py file, or one of "
        f"{', '.join(names)}{hint}"
    )


def _shipped_folder() -> pathlib.Path:
    """Return the folder of the packaged configs: in the package, or beside it in a checkout."""
    package = pathlib.Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _kind(config: "ConfigDict", key: str) -> str:
    """Return a description of the allowed values of a key, by its type."""
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
