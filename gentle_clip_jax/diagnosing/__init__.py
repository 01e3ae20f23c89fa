"""Diagnosis before training: figures of two sets of features that predict their use."""

from typing import Any

import numpy as np

from gentle_clip_jax.diagnosing import (
    agreement,
    geometry,
    mapped_sets,
    pair_noise,
    shift,
    structure,
)
from gentle_clip_jax.diagnosing.sample import draw
from gentle_clip_jax.diagnosing.verdict import verdict
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given, collection_of
from gentle_clip_jax.features.pairs import read_matched
from gentle_clip_jax.storage.progress import track


def diagnose(
    x: Given,
    y: Given,
    pairs: Any = None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure whether the pairs relate two collections and whether unmatched items can help.

    Args:
      x: a collection, a path that `read` takes, or features [n, d]. Where rows have splits, only
        training rows count: what is held out must not decide anything.
      y: likewise, of the other modality.
      pairs: a CSV file, id pairs, a table, or numbers [k, 2] of items; None if equal ids are pairs.
      seed: of all random choices.

    Returns:
      What diagnosis.json holds: "verdict", "counts", "findings".

    Raises:
      ValueError: a file is not as it should be, or an id of a pair is unknown.
    """
    sets = collection_of(x), collection_of(y)
    if pairs is None and not np.isin(sets[0].ids, sets[1].ids).any():
        pair_ids = np.empty((0, 2), str)
    else:
        *sets, pair_ids = read_matched(pairs, *sets)
    x_rows, y_rows = (_training_rows(rows) for rows in sets)
    here = np.isin(pair_ids[:, 0], x_rows.ids) & np.isin(pair_ids[:, 1], y_rows.ids)
    return diagnosis_of(x_rows, y_rows, pair_ids[here], seed=seed)


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
    rngs = np.random.default_rng(seed).spawn(7)
    sample = draw(x, y, pair_ids, rngs[0])
    measures = [
        lambda: pair_noise.findings(sample, rngs[1]),
        lambda: [agreement.finding(sample, rngs[2])],
        lambda: [mapped_sets.finding(sample, rngs[3])],
        lambda: shift.findings(sample, rngs[4]),
        lambda: geometry.findings(sample, x, y, pair_ids, rngs[5]),
        lambda: [structure.finding(sample, rngs[6])],
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


def _training_rows(rows: Collection) -> Collection:
    if rows.splits is None or not np.any(rows.splits == "train"):
        return rows
    keep = rows.splits == "train"
    return rows.select(keep)


def _counts(rows: Collection, matched_ids: np.ndarray, used: np.ndarray) -> dict[str, int]:
    items = np.unique(rows.ids)
    return {
        "rows": len(rows.ids),
        "items": len(items),
        "dimensions": rows.features.shape[1],
        "unmatched": int(np.sum(~np.isin(items, matched_ids))),
        "unmatched_used": len(used),
    }
