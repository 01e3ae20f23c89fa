"""Distance of the unmatched sets in the joint space of maps fitted to the pairs."""

import numpy as np

from gentle_clip_jax.diagnosing import maps
from gentle_clip_jax.diagnosing.finding import Finding, histogram, number, scatter, unknown
from gentle_clip_jax.diagnosing.sample import Sample
from gentle_clip_jax.diagnosing.two_sample import (
    ExcessTest,
    excess_test,
    mmd_test,
    opposite_halves,
)

NAME, TITLE = "mapped_sets", "Unmatched x against unmatched y, in one space"
_MAX_ROWS = 1000
_LEAST_PAIRS, _LEAST_UNMATCHED = 10, 10
_FAR = 0.05  # excess, as a share of the distance between opposite halves of a set
_BLIND = 0.15  # likewise; a larger chance level hides a difference


def finding(sample: Sample, rng: np.random.Generator) -> Finding:
    """Fit maps to half of the pairs and compare the unmatched sets with the other half's."""
    n = len(sample.x)
    fewest = min(len(sample.unmatched_x), len(sample.unmatched_y))
    if n < _LEAST_PAIRS or fewest < _LEAST_UNMATCHED:
        why = f"It needs {_LEAST_PAIRS} pairs and {_LEAST_UNMATCHED} unmatched items of each kind."
        return unknown(NAME, TITLE, why)
    order = rng.permutation(n)
    fitted, held_out = order[: n // 2], order[n // 2 :][:_MAX_ROWS]
    fit = maps.fit(sample.x[fitted], sample.y[fitted])
    x, y = maps.embed(fit, sample.one_x[held_out], sample.one_y[held_out])
    all_x, all_y = maps.embed(fit, sample.unmatched_x[:_MAX_ROWS], sample.unmatched_y[:_MAX_ROWS])
    test = excess_test(x, y, all_x, all_y, rng)
    same = mmd_test(all_x, all_y, rng).p_value
    large = (opposite_halves(all_x) + opposite_halves(all_y)) / 2
    pictures = [
        scatter("Unmatched items through the maps", all_x, all_y),
        histogram(
            "Excess over pairs, by chance and here",
            "MMD² of the unmatched sets less that of pairs",
            test.excess.null,
            {"here": test.excess.value},
        ),
    ]
    return _finding(test, same, large, (len(held_out), len(all_x), len(all_y)), pictures)


def _finding(
    test: ExcessTest, same: float, large: float, rows: tuple[int, int, int], pictures: list[dict]
) -> Finding:
    p_value = test.excess.p_value
    share, hidden = (
        float(excess) / large if large > 0 else 0.0
        for excess in (test.excess.value, np.quantile(test.excess.null, 0.95))
    )
    seen = p_value < 0.05
    if not seen:
        level = "good" if hidden < _BLIND else "unknown"
    else:
        level = "bad" if share > _FAR else "warning"
    pairs = f"{rows[0]} held-out pairs"
    return Finding(
        NAME,
        TITLE,
        f"MMD² {test.unmatched:.4f}, excess p {p_value:.3f}",
        f"{test.pairs:.4f} for {pairs}",
        {
            "good": f"The unmatched sets are no further apart than {pairs} are.",
            "unknown": f"With only {pairs}, a difference of the unmatched sets could not show.",
            "warning": f"The unmatched sets are further apart than {pairs} are, but not by much.",
            "bad": f"The unmatched sets are further apart than {pairs} are, by {share:.0%} of the "
            "distance between opposite halves of a set.",
        }[level],
        level,
        {
            "mmd_unmatched": number(test.unmatched),
            "mmd_held_out_pairs": number(test.pairs),
            "mmd_excess": number(test.excess.value),
            "mmd_opposite_halves": number(large),
            "excess_share": number(share),
            "excess_share_hidden_by_chance": number(hidden),
            "p_further_apart_than_pairs": number(p_value),
            "p_same_distribution": number(same),
            "held_out_pairs": rows[0],
            "rows_x": rows[1],
            "rows_y": rows[2],
        },
        pictures,
    )
