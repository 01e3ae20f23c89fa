"""Figures of two sets of features and their pairs, and the verdict that they allow."""

from typing import Any

import numpy as np

from gentle_clip_jax.diagnosing import duplicates, mapped_sets, pair_noise, shift
from gentle_clip_jax.diagnosing.sample import draw
from gentle_clip_jax.diagnosing.verdict import verdict
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.storage.progress import track


def diagnosis_of(
    x: Collection, y: Collection, pair_ids: np.ndarray, *, seed: int = 0
) -> dict[str, Any]:
    """Test if the pairs relate two sets, and if the unmatched items resemble the matched ones.

    Args:
      x: features of one modality; an item may have several rows.
      y: features of the other.
      pair_ids: [n, 2] ids of matched items in x and in y; n may be 0. The others are unmatched.
      seed: of the samples of large sets, and of all permutations.

    Returns:
      {"seed", "counts", "verdict", "findings"}, as JSON data for the report.

    Raises ValueError if an id of a pair is unknown, or in two pairs.
    """
    pair_ids = np.asarray(pair_ids, str).reshape(-1, 2)
    rngs = np.random.default_rng(seed).spawn(5)
    sample = draw(x, y, pair_ids, rngs[0])
    measures = [
        lambda: pair_noise.findings(sample, rngs[1]),
        lambda: [mapped_sets.finding(sample, rngs[2])],
        lambda: shift.findings(sample, rngs[3]),
        lambda: [duplicates.finding(sample, x, y, pair_ids, rngs[4])],
    ]
    findings = [finding for measure in track(measures, "measuring") for finding in measure()]
    counts = {
        "x": _counts(x, pair_ids[:, 0], sample.unmatched_x),
        "y": _counts(y, pair_ids[:, 1], sample.unmatched_y),
        "pairs": len(pair_ids),
        "pairs_used": len(sample.x),
    }
    unmatched = counts["x"]["unmatched"], counts["y"]["unmatched"]
    decided = verdict(findings, len(pair_ids), *unmatched, sample.constant)
    return {
        "seed": seed,
        "counts": counts,
        "verdict": decided._asdict(),
        "findings": [finding._asdict() for finding in findings],
    }


def _counts(rows: Collection, matched_ids: np.ndarray, used: np.ndarray) -> dict[str, int]:
    items = np.unique(rows.ids)
    return {
        "rows": len(rows.ids),
        "items": len(items),
        "dimensions": rows.features.shape[1],
        "unmatched": int(np.sum(~np.isin(items, matched_ids))),
        "unmatched_used": len(used),
    }
