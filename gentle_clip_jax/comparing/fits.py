"""Methods by name, plain or with the drawn gallery; each is fitted once for both."""

import functools
import time
from collections.abc import Callable

import jax

from gentle_clip_jax.aligners import METHODS, Aligner, Problem
from gentle_clip_jax.comparing.pool import Pool, draw

DRAWN = "+drawn"  # behind a method's name: with the drawn gallery


def base_of(name: str) -> str:
    """The method in `METHODS` of a name that may end in "+drawn"."""
    return name.removesuffix(DRAWN)


def label_of(name: str) -> str:
    """What tables call a method."""
    base = base_of(name)
    return METHODS[base].label + (", drawn" if base != name else "")


def unmatched(name: str) -> bool:
    """Whether a method uses unmatched items; the drawn gallery does."""
    return METHODS[base_of(name)].unmatched or name.endswith(DRAWN)


class Fits:
    """What was drawn and fitted last: plain or drawn, a method is fitted once."""

    def __init__(self, pool_of: Callable[[int], Pool], unmatched: str):
        def problem(pairs: int, seed: int) -> Problem:
            return draw(pool_of(seed), pairs, seed=seed, unmatched=unmatched)

        def fit(base: str, pairs: int, seed: int) -> tuple[Aligner, float]:
            start = time.monotonic()
            aligner = METHODS[base].fit(self.problem(pairs, seed), jax.random.key(seed))
            return aligner, time.monotonic() - start

        self.problem = functools.lru_cache(maxsize=1)(problem)
        self.fit = functools.lru_cache(maxsize=1)(fit)
