"""Checks of the keys of a config for comparisons."""

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import ml_collections

from gentle_clip_jax.data.metadata import splits_of

_LARGEST_SEED = 2**32 - 1  # jax.random.key takes 32 bits
_MOST_PAIRS = 10**9
_LETTERS = 1000  # maximum length of a text


def check(config: ml_collections.ConfigDict) -> None:
    """Check the keys and values of a config for comparisons.

    Raises:
      ValueError: names the key, its allowed values, and its value.
    """
    for key, (what, allows) in _KEYS.items():
        if key not in config:
            raise ValueError(
                f"This is no config to compare by, as it has no key config.{key}: give one such as "
                'compare_remote_sensing, or begin yours with base("compare").'
            )
        if not allows(config[key]):
            raise ValueError(f"config.{key} must be {what}, not {_shown(config[key])}.")
    splits_of(config.zero_shot, "config.zero_shot")


def _shown(value: Any) -> str:
    return " ".join(repr(value).split())[:80]


def _all(allows: Callable[[Any], bool], least: int = 0) -> Callable[[Any], bool]:
    def check(values: Any) -> bool:
        several = isinstance(values, Sequence) and not isinstance(values, str)
        return several and len(values) >= least and all(map(allows, values))

    return check


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LETTERS


def _is_seed(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and 0 <= value <= _LARGEST_SEED


def _is_amount(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and 0 < value <= _MOST_PAIRS


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


_KEYS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "title": ("a text", lambda value: isinstance(value, str) and len(value) <= _LETTERS),
    "features": ("a folder", _text),
    "train": ("the names of one data set or more", _all(_text, 1)),
    "zero_shot": ("data sets, each as SET:SPLIT or SET:", _all(_text)),
    "excluded_labels": ("the names of classes", _all(_text)),
    "evaluate": ("test or validation", lambda value: value in ("test", "validation")),
    "unmatched": (
        "shuffled, disjoint or shifted",
        lambda value: value in ("shuffled", "disjoint", "shifted"),
    ),
    "pairs": (
        f"one number of pairs or more, each a share above 0 to 1 or a number to {_MOST_PAIRS}",
        _all(_is_amount, 1),
    ),
    "seeds": (f"one whole number or more from 0 to {_LARGEST_SEED}", _all(_is_seed, 1)),
    "methods": ("the names of one method or more", _all(_text, 1)),
}
