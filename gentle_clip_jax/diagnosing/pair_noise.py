"""Recognition of held-out pairs by maps fitted to the others, and wrong pairs."""

import numpy as np
from scipy import stats

from gentle_clip_jax.diagnosing import maps
from gentle_clip_jax.diagnosing.finding import Finding, histogram, number, unknown
from gentle_clip_jax.diagnosing.sample import Sample
from gentle_clip_jax.diagnosing.two_sample import Permutation
from gentle_clip_jax.evaluation.intervals import bootstrap_intervals, wilson

_SIGNAL = "held_out_pairs", "Held-out pairs recognised"
_NOISE = "pair_noise", "Wrong pairs"
_LEAST_PAIRS = 6
_NUM_SUSPECTS = 10
_PERMUTATIONS = 499
_FEW, _MANY = 0.1, 0.4  # shares of wrong pairs
_STRANGE = (0.5, 0.6, 0.7, 0.8, 0.9)  # thresholds
_ENOUGH = 30  # pairs; with fewer, the interval is far too narrow
_SOME = 0.65  # an interval below it excludes a useful relation


def findings(sample: Sample, rng: np.random.Generator) -> list[Finding]:
    """Measure the recognition of held-out pairs, and estimate the share of wrong pairs."""
    if len(sample.x) < _LEAST_PAIRS:
        why = f"It needs {_LEAST_PAIRS} pairs."
        return [unknown(*_SIGNAL, why), unknown(*_NOISE, why)]
    strangeness = cross_fitted_strangeness(sample.x, sample.y, rng)
    test = recognition_test(sample.x, sample.y, rng)
    return [
        _signal_finding(strangeness, test, rng),
        _noise_finding(strangeness, test.p_value < 0.05, sample.pair_ids),
    ]


def recognition_test(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Permutation:
    """Test if maps of one half of the pairs, x [n, dx] and y [n, dy], recognise the other half.

    The mean rank, from 0 to 1, of held-out pairs among all combinations of held-out items; null:
    their partners are permuted. One split, for folds share pairs and their figures vary together.
    """
    order = rng.permutation(len(x))
    fitted, held_out = order[: len(x) // 2], order[len(x) // 2 :]
    held_out_x, held_out_y = maps.embed(maps.fit(x[fitted], y[fitted]), x[held_out], y[held_out])
    cosines = held_out_x @ held_out_y.T
    rank = (stats.rankdata(cosines) / cosines.size).reshape(cosines.shape)
    rows = np.arange(len(held_out))
    null = [np.mean(rank[rows, rng.permutation(rows)]) for _ in range(_PERMUTATIONS)]
    return Permutation(float(np.mean(np.diag(rank))), np.array(null))


def cross_fitted_strangeness(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each pair [n] the share of mismatched pairs that look better matched.

    Maps fitted on four fifths of the pairs (or fewer, so that three pairs at least are held out)
    compare the others. It is uniform from 0 to 1 for a random pair.
    """
    n = len(x)
    folds = min(5, n // 3)
    fold_of = rng.permutation(np.arange(n) % folds)
    own, strangers = np.empty(n, np.float32), []
    for fold in range(folds):
        held_out = fold_of == fold
        held_out_x, held_out_y = maps.embed(
            maps.fit(x[~held_out], y[~held_out]), x[held_out], y[held_out]
        )
        cosines = held_out_x @ held_out_y.T
        own[held_out] = np.diag(cosines)
        strangers.append(cosines[~np.eye(len(cosines), dtype=bool)])
    strangers = np.sort(np.concatenate(strangers))
    below, up_to = (np.searchsorted(strangers, own, side=side) for side in ("left", "right"))
    return 1 - (below + up_to) / (2 * len(strangers))  # a tie counts half


def random_share(strangeness: np.ndarray) -> tuple[float, float, float]:
    """Return the share of pairs that look put together at random, with its 95 % interval.

    The strangeness of a random pair is uniform, that of a right one mostly small: the density of
    strange pairs is at least that of the random ones. Of several thresholds the smallest estimate
    counts, as right pairs that are hard raise each.

    Args:
      strangeness: [n], of `cross_fitted_strangeness`.

    Source: Storey 2002, J. R. Stat. Soc. B 64, (3), of p-values.

    >>> random_share(np.array([0.05] * 8 + [0.55, 0.85]))[0]
    0.0
    """
    shares = [(np.mean(strangeness > least) / (1 - least), least) for least in _STRANGE]
    _, least = min(shares)
    share = wilson(int(np.sum(strangeness > least)), len(strangeness))
    value, low, high = (min(1.0, share[end] / (1 - least)) for end in ("value", "low", "high"))
    return value, low, high


def _signal_finding(
    strangeness: np.ndarray, test: Permutation, rng: np.random.Generator
) -> Finding:
    n = len(strangeness)
    auc = bootstrap_intervals(
        lambda counts: {"auc": 1 - counts @ strangeness / counts.sum(-1)},
        n,
        seed=int(rng.integers(2**31)),
    )["auc"]
    value, low, high = auc["value"], auc["low"], auc["high"]
    hopeless = n >= _ENOUGH and high < _SOME
    level = "good" if test.p_value < 0.05 else "bad" if hopeless else "unknown"
    meaning = {
        "good": "",
        "unknown": f"; {n} pairs are too few to tell that from chance",
        "bad": "; that is chance, so the maps carry nothing over to new items",
    }[level]
    return Finding(
        *_SIGNAL,
        f"{value:.3f} ({low:.3f} to {high:.3f})",
        "0.500",
        f"A held-out pair looks better matched than a mismatched one in {value:.0%} of cases"
        f"{meaning}. The test, p {test.p_value:.3f}, is of one split: maps of one half give the "
        f"pairs of the other a mean rank of {test.value:.3f}, as the picture shows.",
        level,
        {
            "auc": number(value),
            "low": number(low),
            "high": number(high),
            "pairs": n,
            "p": number(test.p_value),
            "rank_of_other_half": number(test.value),
        },
        [
            histogram(
                "Half of the pairs, ranked by a fit to the other half: permuted and real",
                "mean rank among all combinations, 1 is best",
                test.null,
                {"real": test.value},
            )
        ],
    )


def _noise_finding(strangeness: np.ndarray, seen: bool, pair_ids: np.ndarray) -> Finding:
    picture = histogram(
        "How suspicious each pair is",
        "share of mismatched pairs that look better",
        strangeness,
        {},
    )
    if not seen:
        why = "Wrong pairs cannot be told from right ones, as held-out pairs are not recognised."
        return unknown(*_NOISE, why)._replace(pictures=[picture])
    order = np.argsort(-strangeness, kind="stable")[:_NUM_SUSPECTS]
    suspects = [
        {
            "x": str(pair_ids[i, 0]),
            "y": str(pair_ids[i, 1]),
            "strangeness": number(float(strangeness[i])),
        }
        for i in order
        if strangeness[i] > 0.5
    ]
    value, low, high = random_share(strangeness)
    return Finding(
        *_NOISE,
        f"{value:.0%} ({low:.0%} to {high:.0%})",
        "100% of random pairs",
        f"At most about {value:.0%} of the pairs are wrong: so many look put together at random. "
        "Hard pairs look so too, and where most are hard this tells little.",
        "good" if value < _FEW else "bad" if low > _MANY else "warning",
        {"share": number(value), "low": number(low), "high": number(high), "suspects": suspects},
        [picture],
    )
