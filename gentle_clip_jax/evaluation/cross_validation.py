"""Cross-validation on pairs: the ranks of held-out partners under each candidate.

This module is the one engine for held-out pairs. Callers pass functions that fit, so that it
depends on no method.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from gentle_clip_jax.evaluation import pairs
from gentle_clip_jax.evaluation.nearest import TIE
from gentle_clip_jax.evaluation.splits import FOLDS, folds, repeated_folds
from gentle_clip_jax.losses import pairwise
from gentle_clip_jax.storage.progress import track

Array = Any  # jax.Array or np.ndarray
TOP = (1, 5, 10)
# In a smaller gallery nearly every rank is good.
_LEAST_GALLERY = 10


class Embeds(Protocol):
    """Maps of both modalities into one space, a pytree: unit rows [n, k] of features [n, d]."""

    def embed_x(self, x: Array, /) -> Array: ...

    def embed_y(self, y: Array, /) -> Array: ...


class Candidate(NamedTuple):
    """A method under cross-validation.

    fit: fit(row numbers of pairs) is a pytree that embeds the rows beside it.
    x [n, dx], y [n, dy]: the pairs, as the fit takes them.
    distractors_x, distractors_y: unmatched items that no fit sees, added to the gallery.
    """

    fit: Callable[[np.ndarray], Embeds]
    x: Array
    y: Array
    distractors_x: Array
    distractors_y: Array


class HeldOut(NamedTuple):
    """Held-out figures by method.

    log_rank: [n] of each pair the logarithm of the partner's rank, mean over both directions and
      the splits that held it out.
    recall: [n, 2, 3] from x to y and back, the share of those splits where the partner was first,
      among the first five, among the first ten.
    fitted: number of pairs of each fit. gallery: number of items that a partner was among.
    splits: number of fits of each method.
    """

    log_rank: dict[str, np.ndarray]
    recall: dict[str, np.ndarray]
    fitted: int
    gallery: int
    splits: int

    def beside(self, other: "HeldOut") -> "HeldOut":
        """Return the same with the figures of other methods on the same splits."""
        recall = self.recall | other.recall
        return self._replace(log_rank=self.log_rank | other.log_rank, recall=recall)

    def without(self, names: Iterable[str]) -> "HeldOut":
        """Return the same without the figures of some methods."""
        left_out = {*names}
        log_rank, recall = (
            {name: values for name, values in figures.items() if name not in left_out}
            for figures in (self.log_rank, self.recall)
        )
        return self._replace(log_rank=log_rank, recall=recall)


def cross_validate(
    candidates: Mapping[str, Candidate], num_pairs: int, *, seed: int = 0
) -> HeldOut:
    """Rank each held-out pair's partner among the held-out items and the distractors.

    Args:
      candidates: methods by name, all on the same pairs.
      num_pairs: three or more.
      seed: of the splits, see `splits.repeated_folds`.
    """
    counts, splits = np.zeros(num_pairs), repeated_folds(num_pairs, seed)
    log_rank = {name: np.zeros(num_pairs) for name in candidates}
    recall = {name: np.zeros((num_pairs, 2, len(TOP))) for name in candidates}
    fitted = gallery = 0
    for held_out, rest in track(splits, "holding pairs out"):
        counts[held_out] += 1
        for name, candidate in candidates.items():
            distractors = min(len(candidate.distractors_x), len(candidate.distractors_y))
            enough = len(held_out) + distractors >= _LEAST_GALLERY
            rows = held_out if enough else np.concatenate([held_out, rest])
            fitted, gallery = len(rest), len(rows) + distractors
            x, y = pairs.take(rows, candidate.x, candidate.y)
            concatenate = x.__array_namespace__().concatenate
            x = concatenate([x, candidate.distractors_x])
            y = concatenate([y, candidate.distractors_y])
            rank = np.asarray(partner_ranks(candidate.fit(rest), x, y, len(held_out)))
            log_rank[name][held_out] += np.log(rank).mean(axis=1)
            recall[name][held_out] += rank[:, :, None] <= np.asarray(TOP)
    return HeldOut(
        {name: values / counts for name, values in log_rank.items()},
        {name: values / counts[:, None, None] for name, values in recall.items()},
        fitted,
        gallery,
        len(splits),
    )


def choose_setting(
    fit: Callable[[Array, Array], Callable[[float], Embeds]],
    x: Array,
    y: Array,
    settings: Iterable[float],
    *,
    num_folds: int = FOLDS,
) -> float:
    """Choose the setting with the best ranks of held-out partners; the first of equal ones.

    The score is the mean logarithm of the rank of the held-out partner among the fold's held-out
    items, over both directions and all folds. In folds of fewer than ten it is the rank among all
    items, as ten could hardly be missed; otherwise the fitted items, which are easy
    to distinguish from others, would favour too much shrinkage.

    Args:
      fit: fit(x, y) returns the function of a setting that returns a pytree that embeds both. All
        folds have one shape, so that a jitted fit compiles once.
      x: [n, dx] features.
      y: [n, dy] features; y[i] is the pair of x[i].
      settings: numbers; in `fit` they are floats.
      num_folds: each pair is held out of at least one; with n or more, one pair at a time.

    Raises:
      ValueError: there are fewer than three pairs, or not as many rows in x as in y.

    >>> from gentle_clip_jax.aligners.closed_form.ridge import ridge
    >>> x = jax.random.normal(jax.random.key(0), (20, 6))
    >>> fit = lambda x, y: lambda r: ridge(x, y, shrinkage=r)
    >>> choose_setting(fit, x, x**3, [0.1, 1e9])
    0.1
    """
    settings = [float(setting) for setting in settings]
    n, scores = pairs.count(x, y, least=3), []
    for held_out, rest in folds(np.random.default_rng(0).permutation(n), num_folds):
        ordered_x, ordered_y = pairs.take(np.concatenate([held_out, rest]), x, y)
        size = len(held_out)
        fitted = map(fit(ordered_x[size:], ordered_y[size:]), settings)
        among = size if size >= _LEAST_GALLERY else n
        gallery = ordered_x[:among], ordered_y[:among]
        ranks = [np.asarray(partner_ranks(aligner, *gallery, size)) for aligner in fitted]
        scores.append([np.log(rank).mean() for rank in ranks])
    return settings[int(np.argmin(np.mean(scores, axis=0)))]


def partner_ranks(aligner: Embeds, x: Array, y: Array, size: int) -> Array:
    """Return the rank [size, 2] of the partners of the first rows, from x to y and back.

    A tie counts against the partner, and so does a row that is not a number. JAX's arrays are
    compiled for; NumPy's stay NumPy's if the aligner's are.
    """
    run = _partner_ranks if isinstance(x, np.ndarray) else _compiled_partner_ranks
    return run(aligner, x, y, size)


def _partner_ranks(aligner: Embeds, x: Array, y: Array, size: int) -> Array:
    x, y = aligner.embed_x(x), aligner.embed_y(y)
    xp = x.__array_namespace__()

    def one_way(queries: Array, gallery: Array) -> Array:
        scores = queries @ gallery.T if xp is np else pairwise.similarity(queries, gallery)
        return rank_of_partner(scores, xp.diagonal(scores))

    return xp.stack([one_way(x[:size], y), one_way(y[:size], x)], axis=1)


_compiled_partner_ranks = jax.jit(_partner_ranks, static_argnames="size")


def rank_of_partner(scores: Any, partner: Any) -> Any:
    """Return the rank [n], from 1, of a partner by cosines [n, m] and its own [n], one of them.

    Of JAX's arrays or NumPy's. A tie counts against the partner.
    """
    # The comparison fails, and so counts against the partner, for what is not a number.
    return (~(scores < partner[:, None] - TIE)).sum(axis=1)
