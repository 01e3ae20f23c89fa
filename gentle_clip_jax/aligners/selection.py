"""Which closed form for these pairs? Held-out pairs decide, and say when they cannot."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.gentle import (
    LEAST_TRIED,
    TRIAL_ITEMS,
    TRIAL_ROUNDS,
    Prepared,
    planned,
    prepare,
)
from gentle_clip_jax.aligners.closed_form.shrinkage import (
    OF_FEW_PAIRS,
    chosen_shrinkage,
    shrunk_cca,
    shrunk_ridge,
)
from gentle_clip_jax.aligners.cross_validation import Embeds, log_rank
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.standardize import Classes

_LEAST_PAIRS = 6  # fewer are not split: nothing could be told from them
_FOLDS = 5
_WRONG_ANSWERS = 1000  # unmatched items of each modality among which held-out partners are found
# In so few dimensions a few pairs alone fix a map, and the mean of neighbours blurs what there is.
_FEW_DIMENSIONS = 64
_STANDARD_ERRORS = 2.0

PLANNED, UNPLANNED = "gentle_transport", "gentle_transport without a plan"
NAMED = "named_transport"


class Choice(NamedTuple):
    """What to fit to all pairs.

    method: "cca", "ridge", "gentle_transport" or "named_transport".
    transport: whether a plan takes part, where the method leaves that open.
    held_out: what decided, ready for JSON.
    """

    method: str
    transport: bool
    held_out: dict[str, Any]


class _Candidate(NamedTuple):
    """Trial fit(x, y) of means of pairs, features of x as it takes them, and unmatched ones."""

    fit: Callable[[jax.Array, jax.Array], Embeds]
    x: jax.Array
    wrong_x: jax.Array


def choose(features: Features, classes: Classes | None, *, seed: int = 0) -> Choice:
    """The closed form whose maps find held-out pairs best; unmatched items only where they may.

    Pairs are split into five folds, again and again for few pairs; what is fitted to four folds
    finds the pairs of the fifth among each other and among unmatched items that it was not fitted
    to. A method's score is the mean logarithm of the partner's rank; two methods are compared pair
    by pair. CCA and ridge regression, of pairs alone, stand against gentle transport with a plan,
    without, and with the names of classes. A method that uses unmatched items is chosen if it is no
    worse; of fewer than 60 pairs, which tell little, unless it is worse by a standard error; in 64
    dimensions or fewer of either modality only if it is better by two.

    Args:
      features: standardised, of two pairs or more.
      classes: see `gentle_transport`.
      seed: of the splits.
    """
    few_dimensions = min(features.x.shape[2], features.y.shape[2]) <= _FEW_DIMENSIONS
    unmatched = len(features.unmatched_x) > 0
    if len(features.x) < _LEAST_PAIRS:
        alone = few_dimensions or not unmatched
        default = "cca" if alone else PLANNED if classes is None else NAMED
        return Choice(default, True, {"decided_by": "too few pairs to hold any out"})
    ranks = _log_ranks(features, classes if unmatched else None, unmatched, seed)
    alone = min(("cca", "ridge"), key=lambda name: ranks[name].mean())
    rival = _rival(ranks, len(features.x))
    if rival is None:
        return Choice(alone, False, _summary(ranks, alone, None))
    gain = _standard_errors(ranks[alone] - ranks[rival])
    few_pairs = len(features.x) < LEAST_TRIED
    taken = gain >= (_STANDARD_ERRORS if few_dimensions else -1.0 if few_pairs else 0.0)
    method = NAMED if rival == NAMED else PLANNED
    held_out = {**_summary(ranks, alone, rival), "few_dimensions": few_dimensions}
    return Choice(method if taken else alone, rival != UNPLANNED, held_out)


def _rival(ranks: dict[str, np.ndarray], num_pairs: int) -> str | None:
    """What stands against pairs alone: of few pairs, the most that is known, unless they object."""
    if PLANNED not in ranks:
        return None
    rival = PLANNED
    if NAMED in ranks:
        bar = _STANDARD_ERRORS if num_pairs < LEAST_TRIED else 0.0
        rival = NAMED if _standard_errors(ranks[NAMED] - ranks[PLANNED]) <= bar else PLANNED
    worse = _standard_errors(ranks[rival] - ranks[UNPLANNED])
    return UNPLANNED if worse > _STANDARD_ERRORS else rival


def _standard_errors(differences: np.ndarray) -> float:
    """The mean of differences [n] in units of its standard error."""
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    return float(np.mean(differences) / error) if error > 0 else 0.0


def _summary(ranks: dict[str, np.ndarray], alone: str, rival: str | None) -> dict[str, Any]:
    held_out: dict[str, Any] = {
        "mean_log_rank": {name: float(values.mean()) for name, values in ranks.items()},
        "best_of_pairs_alone": alone,
    }
    if rival is not None:
        held_out["best_with_unmatched_items"] = rival
        held_out["gain_in_standard_errors"] = _standard_errors(ranks[alone] - ranks[rival])
    return held_out


def _log_ranks(
    features: Features, classes: Classes | None, unmatched: bool, seed: int
) -> dict[str, np.ndarray]:
    """Mean logarithm of each pair's rank [n] by each candidate, over the splits."""
    y = jnp.mean(features.y, axis=1)
    fitted, wrong = _halves(features)
    wrong_y = jnp.mean(features.unmatched_y[wrong], axis=1)
    candidates = dict(_pairs_alone(features, wrong))
    if unmatched:
        candidates |= _with_unmatched(prepare(features), classes, fitted, wrong)
    n = len(y)
    totals, counts = {name: np.zeros(n) for name in candidates}, np.zeros(n)
    for held, rest in _splits(n, seed):
        counts[held] += 1
        for name, candidate in candidates.items():
            maps = candidate.fit(candidate.x[rest], y[rest])
            # Among fewer than ten items a partner could hardly be missed.
            among = held if len(held) + len(wrong_y) >= 10 else np.concatenate([held, rest])
            gallery_x = jnp.concatenate([candidate.x[among], candidate.wrong_x])
            gallery_y = jnp.concatenate([y[among], wrong_y])
            totals[name][held] += np.asarray(log_rank(maps, gallery_x, gallery_y, len(held)))
    return {name: total / counts for name, total in totals.items()}


def _splits(n: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Held-out pairs and the rest, all of one shape, so that fits compile once."""
    repeats, folds = (6, _FOLDS) if n < LEAST_TRIED else (2, _FOLDS) if n < 500 else (1, 3)
    size, rng = -(-n // folds), np.random.default_rng(seed)
    for _ in range(repeats):
        order = rng.permutation(n)
        for fold in range(folds):
            rows = np.roll(order, -(fold * n // folds))
            yield rows[:size], rows[size:]


def _halves(features: Features) -> tuple[slice, slice]:
    """Unmatched items that are fitted to, and those that are wrong answers, a third at most."""
    least = min(len(features.unmatched_x), len(features.unmatched_y))
    split = max(min(TRIAL_ITEMS, least - least // 3), 0)
    return slice(0, split), slice(split, split + _WRONG_ANSWERS)


def _pairs_alone(features: Features, wrong: slice) -> Iterator[tuple[str, _Candidate]]:
    x, y = jnp.mean(features.x, axis=1), jnp.mean(features.y, axis=1)
    wrong_x = jnp.mean(features.unmatched_x[wrong], axis=1)
    for name, fit in (("cca", shrunk_cca), ("ridge", shrunk_ridge)):
        shrinkage = chosen_shrinkage(fit, x, y)
        yield name, _Candidate(lambda x, y, f=fit, s=shrinkage: f(x, y, s), x, wrong_x)


def _with_unmatched(
    prepared: Prepared, classes: Classes | None, fitted: slice, wrong: slice
) -> dict[str, _Candidate]:
    features = prepared.features
    some = features._replace(
        unmatched_x=features.unmatched_x[fitted], unmatched_y=features.unmatched_y[fitted]
    )
    few = OF_FEW_PAIRS if len(features.x) < LEAST_TRIED else None

    def alone(x: jax.Array, y: jax.Array) -> Embeds:
        return shrunk_cca(x, y, prepared.shrinkage)

    def with_plan(names: Classes | None) -> Callable[[jax.Array, jax.Array], Embeds]:
        def fit(x: jax.Array, y: jax.Array) -> Embeds:
            maps, part = shrunk_cca(x, y, prepared.shrinkage), some._replace(x=x[:, None])
            part = part._replace(y=y[:, None])
            return planned(part, maps, names, shrinkage=few, rounds=TRIAL_ROUNDS)

        return fit

    fits = {PLANNED: with_plan(None), UNPLANNED: alone}
    if classes is not None:
        fits[NAMED] = with_plan(classes)
    x, wrong_x = features.x[:, 0], features.unmatched_x[wrong, 0]
    return {name: _Candidate(fit, x, wrong_x) for name, fit in fits.items()}
