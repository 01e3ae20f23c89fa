"""`diagnose`: can the unmatched items of two collections help?"""

from typing import Any

import numpy as np

from gentle_clip_jax.aligners.evidence import (
    LEAST_PAIRS,
    Evidence,
    GivenAligner,
    conclude,
    is_constant,
    read_evidence,
)
from gentle_clip_jax.aligners.expected import closed_forms
from gentle_clip_jax.aligners.from_collections import READ_ITEMS, problem_of
from gentle_clip_jax.diagnosing.diagnosis import Diagnosis
from gentle_clip_jax.diagnosing.measures import diagnosis_of
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given, modalities_of

_DECIDED = ("helped", "hurt", "alike")


def diagnose(
    x: Given,
    y: Given,
    pairs: Any = None,
    *,
    aligner: GivenAligner | None = None,
    seed: int = 0,
    modalities: tuple[str | None, str | None] = (None, None),
) -> Diagnosis:
    """Measure whether the pairs relate two collections and whether unmatched items can help.

    Args:
      x: a collection, a path that `read` takes, or features [n, d]. Where rows have splits, only
        training rows count: what is held out must not decide anything.
      y: likewise, of the other modality.
      pairs: a CSV file, id pairs, a table, or numbers [k, 2] of items. If not given, the pairs that
        the aligner was fitted to; or else equal ids.
      aligner: a fitted aligner or its folder. Where it was fitted to these items and pairs, its
        verdict on unmatched items is used.
      seed: of the folds, which are those of `align`, and of all random choices.
      modalities: names of an item of x and of one of y; those of the files if not given.

    Raises:
      ValueError: a file is not as it should be, or an id of a pair is unknown.
    """
    evidence = read_evidence(x, y, pairs, aligner, unpaired=True)
    called = modalities_of(evidence.x, evidence.y, evidence.modalities(modalities))
    *sets, pair_ids = evidence.joined
    of_x, of_y = (_training_rows(rows) for rows in sets)
    here = np.isin(pair_ids[:, 0], of_x.ids) & np.isin(pair_ids[:, 1], of_y.ids)
    found = diagnosis_of(of_x, of_y, pair_ids[here], seed=seed)
    held_out = _held_out(evidence, of_x, of_y, pair_ids[here], seed)
    unmatched = held_out and held_out["expected"]["unmatched"]
    if unmatched and unmatched["verdict"] in _DECIDED:
        measured = {"unmatched_data": unmatched["verdict"], "because": "held-out pairs decide it."}
        found = {**found, "verdict": {**found["verdict"], **measured}}
    record = {**found, "held_out": held_out, "modalities": list(called)}
    return Diagnosis(record, *sets)


def _held_out(
    evidence: Evidence, x: Collection, y: Collection, pairs: np.ndarray, seed: int
) -> dict[str, Any] | None:
    """Return what `align` states of the pairs, or would; None where nothing can be held out."""
    if evidence.stated is None:
        unmatched = (len(rows.items) - len(pairs) for rows in (x, y))
        if len(pairs) < LEAST_PAIRS or not all(unmatched) or is_constant(x) or is_constant(y):
            return None
        problem, _ = problem_of(x, y, pairs, seed=evidence.seed(seed), most=READ_ITEMS)
        stated = conclude(problem, closed_forms(problem, evidence.seed(seed)))
    else:
        stated = evidence.stated
    return {name: stated[name] for name in ("method", "fitted_on", "expected")}


def _training_rows(rows: Collection) -> Collection:
    if rows.splits is None or not np.any(rows.splits == "train"):
        return rows
    return rows.select(rows.splits == "train")
