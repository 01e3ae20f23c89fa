"""Choosing a knob of an aligner by the pairs alone: how well does it find pairs it did not see?"""

import functools
from collections.abc import Callable, Iterable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners import pairs
from gentle_clip_jax.losses import pairwise

# Cosines of unit rows in float32 are rounded by about 1e-7: closer ones are the same.
_TIE = 1e-6


class Embeds(Protocol):
    """What maps both modalities into one space, a pytree: unit rows [n, k] of features [n, d]."""

    def embed_x(self, x: jax.Array, /) -> jax.Array: ...

    def embed_y(self, y: jax.Array, /) -> jax.Array: ...


def cross_validated(
    fit: Callable[[jax.Array, jax.Array, float], Embeds],
    x: jax.Array,
    y: jax.Array,
    candidates: Iterable[float],
    *,
    folds: int = 5,
    seed: int = 0,
) -> float:
    """The candidate with which held-out pairs find each other best; the first, where several do.

    The score is the mean logarithm of the rank of the held-out partner among the fold's held-out
    items, over both directions and all folds. In folds of fewer than ten it is the rank among all
    items, as ten could hardly be missed; otherwise the items that were fitted, which are easily
    told apart from others, would favour too much shrinkage.

    Args:
      fit: fit(x, y, candidate) is a pytree that embeds both. All folds have one shape, so that a
        jitted fit compiles once.
      x: [n, dx] features.
      y: [n, dy] features; y[i] is the pair of x[i].
      candidates: numbers; in `fit` they are floats.
      folds: each pair is held out of at least one; with n or more, one pair at a time.
      seed: of the permutation that the folds are cut from.

    Raises:
      ValueError: there are fewer than three pairs, or not as many rows in x as in y.

    >>> from gentle_clip_jax.aligners.closed_form import ridge
    >>> x = jax.random.normal(jax.random.key(0), (20, 6))
    >>> cross_validated(lambda x, y, r: ridge(x, y, shrinkage=r), x, x**3, [0.1, 1e9])
    0.1
    """
    candidates = [float(candidate) for candidate in candidates]
    scores = log_ranks(fit, x, y, candidates, folds=folds, seed=seed)
    return candidates[int(np.argmin(np.mean(scores, axis=1)))]


def log_ranks(
    fit: Callable[[jax.Array, jax.Array, float], Embeds],
    x: jax.Array,
    y: jax.Array,
    candidates: Iterable[float],
    *,
    folds: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """[candidates, held-out pairs] logarithm of the rank of the partner; see `cross_validated`."""
    n = pairs.count(x, y, least=3)
    folds = min(folds, n)
    order, size = np.random.default_rng(seed).permutation(n), -(-n // folds)
    candidates, scores = [*candidates], []
    for fold in range(folds):
        # Where folds does not divide n, folds overlap by a pair rather than differ in size.
        rows = np.roll(order, -(fold * n // folds))
        fold_x, fold_y = pairs.take(rows, x, y)
        aligners = (fit(fold_x[size:], fold_y[size:], candidate) for candidate in candidates)
        among = size if size >= 10 else n
        gallery = fold_x[:among], fold_y[:among]
        scores.append([log_rank(aligner, *gallery, size) for aligner in aligners])
    return np.concatenate(np.asarray(scores), axis=1)


def log_rank(aligner: Embeds, x: jax.Array, y: jax.Array, size: int) -> jax.Array:
    """Log rank [size] of the partners of the first rows, mean over both directions."""
    return jnp.mean(jnp.log(ranks(aligner, x, y, size).astype(x.dtype)), axis=1)


@functools.partial(jax.jit, static_argnames="size")
def ranks(aligner: Embeds, x: jax.Array, y: jax.Array, size: int) -> jax.Array:
    """Rank [size, 2] of the partners of the first rows, not seen by the aligner, both ways."""
    x, y = aligner.embed_x(x), aligner.embed_y(y)

    def one_way(queries: jax.Array, gallery: jax.Array) -> jax.Array:
        scores = pairwise.similarity(queries, gallery)
        # The comparison fails, and so counts against the partner, for what is not a number.
        return jnp.sum(~(scores < jnp.diagonal(scores)[:, None] - _TIE), axis=1)

    return jnp.stack([one_way(x[:size], y), one_way(y[:size], x)], axis=1)
