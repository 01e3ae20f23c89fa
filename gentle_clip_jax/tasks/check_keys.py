"""Validation of a config against the schema of its task."""

import re
from typing import Any, Literal, get_args, get_origin

import ml_collections
import msgspec

from gentle_clip_jax.tasks import schema_of

_SHOWN = 60  # characters of a wrong value that a message quotes
_KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


def check_keys(config: ml_collections.ConfigDict) -> None:
    """Check that a config has every key of its task's schema with an allowed value.

    Raises:
      ValueError: it does not; the message names the key, its allowed values and its value.
    """
    values = config.to_dict()
    _check_group(values, schema_of(str(values.get("task"))), "config")


def check_trained(tower: ml_collections.ConfigDict, where: str) -> None:
    """Check that a tower names its encoder and that its pattern of kernels is valid.

    Raises:
      ValueError: one of the two is wrong; the message names the key.
    """
    if not tower.encoder:
        raise ValueError(f"{where}.encoder is empty: name an encoder, or give its folder.")
    try:
        re.compile(tower.lora_kernels)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{where}.lora_kernels={tower.lora_kernels[:60]!r} is not a valid regular expression "
            f"({error}): fix the pattern."
        ) from error


def _check_group(group: Any, schema: type[msgspec.Struct], prefix: str) -> None:
    if not isinstance(group, dict):
        raise ValueError(f"{prefix} must be a group of keys, not {_shown(group)}.")
    for field in msgspec.structs.fields(schema):
        key = f"{prefix}.{field.name}"
        if field.name not in group:
            raise ValueError(
                f'The config has no key {key}: start it with base("NAME"), which sets every key.'
            )
        value = group[field.name]
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            _check_group(value, field.type, key)
            continue
        try:
            msgspec.convert(value, field.type)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            message = f"{key} must be {_allowed(field.type)}, not {_shown(value)}."
            raise ValueError(message) from error


def _allowed(kind: Any) -> str:
    """Return the values that a type of the schema allows, in words."""
    if get_origin(kind) is Literal:
        values = get_args(kind)
        return " or ".join(values) if len(values) < 3 else f"one of {', '.join(values)}"
    metas = getattr(kind, "__metadata__", ())
    plain = get_args(kind)[0] if metas else kind

    def constraint(name: str) -> Any:
        values = [getattr(meta, name) for meta in metas]
        return next((value for value in reversed(values) if value is not None), None)

    if get_origin(plain) is tuple:
        words = f"a tuple of texts{_allowed(get_args(plain)[0]).removeprefix('a text')}"
    else:
        words = _KINDS[plain]
    if plain in (int, float):
        low, high = constraint("gt"), constraint("lt")
        words += f" from {constraint('ge')}" if low is None else f" above {low}"
        words += f" to {constraint('le')}" if high is None else f" to below {high}"
    if most := constraint("max_length"):
        words += f" of up to {most} characters"
    return words + (f" ({constraint('description')})" if constraint("description") else "")


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
