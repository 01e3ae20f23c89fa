"""How well pairs find each other that a fit has not seen, split after split."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.cross_validation import Embeds, ranks
from gentle_clip_jax.aligners.pairs import take
from gentle_clip_jax.aligners.problem import Features, Problem, once_a_problem
from gentle_clip_jax.aligners.standardize import Classes, principal_components, standardized
from gentle_clip_jax.parallel.cores import one_core_for_lapack
from gentle_clip_jax.progress import track

TOP = (1, 5, 10)
_FOLDS = 5
_WRONG_ANSWERS = 1000  # unmatched items of each modality among which held-out partners are found
_FITTED_TO = 1000  # unmatched items of each modality that a trial fit takes
_DIMENSIONS = 256  # principal components that a trial fit takes; all would take minutes


class HeldOut(NamedTuple):
    """What was found, by method.

    log_rank: [n] of each pair the logarithm of the partner's rank, mean over both directions and
      the splits that held it out.
    recall: [n, 2, 3] from x to y and back, the share of those splits where the partner was first,
      among the first five, among the first ten.
    fitted: how many pairs each fit had. among: how many items a partner was among.
    splits: how many fits of each method there were.
    """

    log_rank: dict[str, np.ndarray]
    recall: dict[str, np.ndarray]
    fitted: int
    among: int
    splits: int


class Trial(NamedTuple):
    """A method on trial: fit(numbers of pairs) embeds the rows that stand beside it.

    x [n, dx], y [n, dy]: of the pairs, as what is fitted takes them.
    wrong_x, wrong_y: of unmatched items to which nothing is fitted.
    """

    fit: Callable[[np.ndarray], Embeds]
    x: jax.Array
    y: jax.Array
    wrong_x: jax.Array
    wrong_y: jax.Array


@one_core_for_lapack
def held_out(trials: Mapping[str, Trial], num_pairs: int, *, seed: int) -> HeldOut:
    """Holds pairs out again and again, and finds each among the held-out and the wrong ones.

    Args:
      trials: by name, all on the same pairs.
      num_pairs: three or more.
      seed: of the splits.
    """
    counts, all_splits = np.zeros(num_pairs), list(splits(num_pairs, seed))
    log_rank = {name: np.zeros(num_pairs) for name in trials}
    recall = {name: np.zeros((num_pairs, 2, len(TOP))) for name in trials}
    fitted = among = 0
    for held, rest in track(all_splits, "holding pairs out"):
        counts[held] += 1
        for name, trial in trials.items():
            wrong = min(len(trial.wrong_x), len(trial.wrong_y))
            # Among fewer than ten items a partner could hardly be missed.
            rows = held if len(held) + wrong >= 10 else np.concatenate([held, rest])
            fitted, among = len(rest), len(rows) + wrong
            x, y = take(rows, trial.x, trial.y)
            gallery_x = jnp.concatenate([x, trial.wrong_x])
            gallery_y = jnp.concatenate([y, trial.wrong_y])
            found = np.asarray(ranks(trial.fit(rest), gallery_x, gallery_y, len(held)))
            log_rank[name][held] += np.log(found).mean(axis=1)
            recall[name][held] += found[:, :, None] <= np.asarray(TOP)
    return HeldOut(
        {name: values / counts for name, values in log_rank.items()},
        {name: values / counts[:, None, None] for name, values in recall.items()},
        fitted,
        among,
        len(all_splits),
    )


def splits(n: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Held-out pairs and the rest, all of one shape, so that fits compile once.

    Below 100 pairs there are 20 splits, from there on 10, from 500 on three; of up to five pairs
    each is held out once.
    """
    folds = min(_FOLDS if n < 500 else 3, n)
    repeats = 1 if n <= _FOLDS or n >= 500 else 4 if n < 100 else 2
    size, rng = -(-n // folds), np.random.default_rng(seed)
    for _ in range(repeats):
        order = rng.permutation(n)
        for fold in range(folds):
            rows = np.roll(order, -(fold * n // folds))
            yield rows[:size], rows[size:]


def standard_errors(differences: np.ndarray) -> float:
    """The mean of differences [n] in units of its standard error."""
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    return float(np.mean(differences) / error) if error > 0 else 0.0


def parts(of: Features | Problem) -> tuple[slice, slice]:
    """Unmatched items that are fitted to, and wrong answers, a third of them at most."""
    least = min(len(of.unmatched_x), len(of.unmatched_y))
    split = min(_FITTED_TO, least - least // 3)
    return slice(0, split), slice(split, split + _WRONG_ANSWERS)


@once_a_problem
def reduced_problem(problem: Problem) -> tuple[Features, Classes | None]:
    """Standardised features and classes of a problem as trials take them; see `reduced`."""
    return reduced(*standardized(problem)[2:])


def reduced(features: Features, classes: Classes | None) -> tuple[Features, Classes | None]:
    """Features and classes in the first principal components of what fits see."""
    fitted, _ = parts(features)
    bases = [
        _basis(items, unmatched[fitted])
        for items, unmatched in (
            (features.x, features.unmatched_x),
            (features.y, features.unmatched_y),
        )
    ]
    turned = [
        items if basis is None else items @ basis
        for items, basis in zip(features, [*bases, *bases])
    ]
    if classes is not None:
        pairs = zip(classes, bases)
        classifier, names = (rows if basis is None else rows @ basis for rows, basis in pairs)
        classes = classifier, names
    return Features(*turned), classes


def _basis(items: jax.Array, unmatched: jax.Array) -> jax.Array | None:
    """The first principal components [d, k] of the rows, or None where there are no more."""
    width = items.shape[2]
    if width <= _DIMENSIONS:
        return None
    rows = np.concatenate([np.asarray(some).reshape(-1, width) for some in (items, unmatched)])
    return jnp.asarray(principal_components(rows - rows.mean(axis=0), _DIMENSIONS))


def raw_trial(problem: Problem, fit: Callable[[Problem], Embeds]) -> Trial:
    """A method that is fitted to raw features, as `align` fits it."""
    fitted, wrong = parts(problem)
    unmatched = problem.unmatched_x[fitted], problem.unmatched_y[fitted]

    def fit_pairs(rest: np.ndarray) -> Embeds:
        return fit(Problem(problem.x[rest], problem.y[rest], *unmatched))

    x, y = (jnp.asarray(items.mean(axis=1)) for items in (problem.x, problem.y))
    wrong_x, wrong_y = (
        jnp.asarray(items[wrong].mean(axis=1))
        for items in (problem.unmatched_x, problem.unmatched_y)
    )
    return Trial(fit_pairs, x, y, wrong_x, wrong_y)
