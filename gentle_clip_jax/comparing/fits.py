"""Fits of methods by name; with and without gallery smoothing a method is fitted once."""

import functools
import time
from collections.abc import Callable

import jax

from gentle_clip_jax.aligners import METHODS, Aligner, Problem
from gentle_clip_jax.aligners.fit import in_canonical_order
from gentle_clip_jax.comparing.pool import Pool, draw

DRAWN = "+drawn"  # suffix of a method's name: with gallery smoothing


def base_of(name: str) -> str:
    """Return the method in `METHODS` of a name, without the suffix of gallery smoothing."""
    return name.removesuffix(DRAWN)


def label_of(name: str) -> str:
    """Return the label of a method in tables."""
    base = base_of(name)
    return METHODS[base].label + (", drawn" if base != name else "")


def unmatched(name: str) -> bool:
    """Return whether a method uses unmatched items, as gallery smoothing does."""
    return METHODS[base_of(name)].unmatched or name.endswith(DRAWN)


class Fits:
    """Cache of the last problem and fit: a method is fitted once for both galleries."""

    def __init__(self, pool_of: Callable[[int], Pool], unmatched: str):
        def problem(pairs: int, seed: int) -> Problem:
            return draw(pool_of(seed), pairs, seed=seed, unmatched=unmatched)

        def fit(base: str, pairs: int, seed: int) -> tuple[Aligner, float]:
            start = time.monotonic()
            given = self.problem(pairs, seed)
            if not METHODS[base].trained:  # heads take pairs in random order
                given = in_canonical_order(given)
            aligner = METHODS[base].fit(given, jax.random.key(seed))
            return aligner, time.monotonic() - start

        self.problem = functools.lru_cache(maxsize=1)(problem)
        self.fit = functools.lru_cache(maxsize=1)(fit)
