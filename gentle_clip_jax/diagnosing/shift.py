"""Distribution shift between the matched and unmatched items of a modality, in its own space."""

import numpy as np
from scipy import stats

from gentle_clip_jax.diagnosing.finding import Finding, bars, histogram, number, unknown
from gentle_clip_jax.diagnosing.sample import Sample
from gentle_clip_jax.diagnosing.two_sample import mmd_test

_MAX_ROWS = 1000
_LEAST_ROWS = 10
_FAR, _NEAR = 0.8, 0.6  # AUC thresholds
_FOLDS = 5


def findings(sample: Sample, rng: np.random.Generator) -> list[Finding]:
    """Return a finding for each modality."""
    return [
        _finding("x", sample.one_x, sample.unmatched_x, rng),
        _finding("y", sample.one_y, sample.unmatched_y, rng),
    ]


def _finding(
    modality: str, matched: np.ndarray, unmatched: np.ndarray, rng: np.random.Generator
) -> Finding:
    name, title = f"shift_{modality}", f"Matched against unmatched items of {modality}"
    if min(len(matched), len(unmatched)) < _LEAST_ROWS:
        why = f"It needs {_LEAST_ROWS} matched and {_LEAST_ROWS} unmatched items."
        return unknown(name, title, why)
    matched, unmatched = matched[:_MAX_ROWS], unmatched[:_MAX_ROWS]
    test = mmd_test(matched, unmatched, rng)
    auc, spread = classifier_auc(matched, unmatched, rng)
    seen = test.p_value < 0.05 or auc > 0.5 + 2 * spread
    far = seen and auc > _FAR
    near = not seen or auc < _NEAR
    kind = "unlike" if far else "like" if near else "somewhat unlike"
    return Finding(
        name,
        title,
        f"AUC {auc:.3f}, MMD² {test.value:.4f}, p {test.p_value:.3f}",
        f"AUC 0.5 ± {2 * spread:.2f}",
        f"A linear classifier tells matched from unmatched items of {modality} in {auc:.0%} of "
        f"cases (50% is guessing): the matched items are {kind} the unmatched ones.",
        "bad" if far else "good" if near else "warning",
        {
            "auc": number(auc),
            "auc_standard_error_by_chance": number(spread),
            "mmd": number(test.value),
            "p_same_distribution": number(test.p_value),
            "matched": len(matched),
            "unmatched": len(unmatched),
        },
        [
            bars(f"Classifier of {modality}", {"AUC": auc}, {"AUC": 0.5}, full=1.0),
            histogram(
                "MMD², by chance and here", "MMD² of both sets", test.null, {"here": test.value}
            ),
        ],
    )


def classifier_auc(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return AUC of a cross-validated ridge classifier of x [n, d] and y [m, d], with its spread.

    Both sets weigh the same. The ridge is the rows' mean squared length: heavy, so that only
    directions of more than common variance count, and features may outnumber rows.
    Source: Hastie et al., The Elements of Statistical Learning, section 4.2 and exercise 4.2.
    """
    n, m = len(x), len(y)
    rows = np.pad(np.concatenate([x, y]).astype(float), ((0, 0), (0, 1)), constant_values=1)
    in_x = np.arange(n + m) < n
    target = np.where(in_x, (n + m) / n, -(n + m) / m)
    ridge = np.mean(np.sum(rows * rows, axis=1)) * np.eye(rows.shape[1])
    fold_of = np.concatenate([rng.permutation(np.arange(size) % _FOLDS) for size in (n, m)])
    aucs = []
    for fold in range(_FOLDS):
        held_out = fold_of == fold
        fitted = rows[~held_out]
        weights = np.linalg.solve(fitted.T @ fitted + ridge, fitted.T @ target[~held_out])
        rank_sum = stats.rankdata(rows[held_out] @ weights)[in_x[held_out]].sum()
        a, b = np.sum(held_out & in_x), np.sum(held_out & ~in_x)
        aucs.append((rank_sum - a * (a + 1) / 2) / (a * b))
    return float(np.mean(aucs)), float(np.sqrt((n + m + 1) / (12 * n * m)))
