"""Differences between two nested configs or records, key by key."""

from collections.abc import Mapping
from typing import Any

ABSENT = "not there"


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings under dotted keys; an empty mapping is a leaf.

    >>> flat({"loss": {"mmd_weight": 0.1}, "seed": 0}, "config.")
    {'config.loss.mmd_weight': 0.1, 'config.seed': 0}
    """
    leaves = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        is_leaf = not isinstance(value, Mapping) or not value
        leaves |= {name: value} if is_leaf else flat(value, f"{name}.")
    return leaves


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return both values of each dotted key in which two trees differ; ABSENT for a missing one.

    >>> differences({"loss": {"form": "stable"}, "seed": 0}, {"loss": {}, "seed": 0})
    {'loss.form': ('stable', 'not there'), 'loss': ('not there', {})}
    """
    a, b = flat(a), flat(b)
    values = {key: (a.get(key, ABSENT), b.get(key, ABSENT)) for key in {**a, **b}}
    return {key: (one, other) for key, (one, other) in values.items() if one != other}
