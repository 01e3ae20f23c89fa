"""`compare`: methods side by side on the held-out pairs of two collections."""

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.aligners.candidates import NAMED, PAIRS_ONLY
from gentle_clip_jax.aligners.evidence import (
    Evidence,
    GivenAligner,
    check_count,
    conclude,
    digests_of,
    is_constant,
    read_evidence,
)
from gentle_clip_jax.aligners.expected import (
    chance_of,
    chosen_of,
    closed_forms,
    evaluate_method,
    held_out_recall,
)
from gentle_clip_jax.aligners.from_collections import READ_ITEMS, problem_of
from gentle_clip_jax.comparing.comparison import Comparison
from gentle_clip_jax.comparing.stored import Folder
from gentle_clip_jax.evaluation import verdict
from gentle_clip_jax.evaluation.cross_validation import HeldOut
from gentle_clip_jax.features.given import Given, modalities_of
from gentle_clip_jax.features.names import encoder_classes
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.storage.digests import sha256_of

# Methods that `align` does not choose among: each is fitted to raw features in every split.
_FURTHER = ("procrustes", "transported_cca")
_CLOSED_FORMS = "closed_forms"  # evaluated together, as `align` does
_CONCLUDED = ("method", "held_out", "fitted_on", "expected")


def compare(
    x: Given,
    y: Given,
    pairs: Any = None,
    workdir: str | pathlib.Path | None = None,
    *,
    aligner: GivenAligner | None = None,
    methods: Sequence[str] | None = None,
    seed: int = 0,
    fast: bool = False,
    modalities: tuple[str | None, str | None] = (None, None),
) -> Comparison:
    """Compare methods by the recall of held-out pairs, on the folds of `align`.

    Args:
      x: a collection, a path that `read` takes, or features [n, d].
      y: likewise, of the other modality.
      pairs: a CSV file, id pairs, a table, or numbers [k, 2] of items. If not given, the pairs that
        the aligner was fitted to; or else equal ids.
      workdir: a folder for the page and the figures. The figures of each method are kept there as
        soon as they are known, and the same call goes on with what is missing.
      aligner: a fitted aligner or its folder. Where it was fitted to these items and pairs, its
        folds and its verdict are used.
      methods: names in `aligners.METHODS`. If not given, those that `align` chooses among, and
        Procrustes and transported CCA.
      seed: of the folds and of all random choices.
      fast: leave out Procrustes and transported CCA, which `align` does not choose among and
        whose evaluation takes longer.
      modalities: names of an item of x and of one of y; those of the files if not given.

    Raises:
      ValueError: a file is not as it should be, all rows of one are the same, there are fewer than
        three pairs, no method is left, or the workdir holds another comparison.
    """
    names = _names(methods, fast)
    evidence = read_evidence(x, y, pairs, aligner)
    called = modalities_of(evidence.x, evidence.y, evidence.modalities(modalities))
    check_count(pairs, len(evidence.joined.pairs))
    for rows in (evidence.x, evidence.y):
        if is_constant(rows):
            raise ValueError(
                f"All rows of {rows.name} are the same, so that nothing can be learned from them: "
                "encode its items again."
            )
    seed = evidence.seed(seed)
    classes = _classes(evidence, names)
    problem, _ = problem_of(*evidence.joined, seed=seed, classes=classes, most=READ_ITEMS)
    data = digests_of(evidence.x, evidence.y, evidence.joined.pairs)
    folder = Folder(workdir, sha256_of({**data, "seed": seed, "named": classes is not None}))
    with folder.writing():
        evaluated = _evaluated(problem, names, folder, seed)
    closed, (*joined, ids) = evaluated[_CLOSED_FORMS], evidence.joined
    unmatched = [len(rows.items) - len(ids) for rows in joined]
    concluded = evidence.stated or conclude(problem, closed)
    if methods is None:
        names = [name for one in evaluated.values() for name in one.recall]
    comparison = Comparison(
        {
            "modalities": list(called),
            "seed": seed,
            "counts": {"pairs": len(ids), "unmatched_x": unmatched[0], "unmatched_y": unmatched[1]},
            "splits": closed.splits,
            "fitted": closed.fitted,
            "among": closed.gallery,
            "chance": chance_of(closed),
            "align": {name: concluded[name] for name in _CONCLUDED if name in concluded},
            "methods": _rows(evaluated, names, concluded),
            "machine": machine(),
        }
    )
    if workdir is not None:
        comparison.save(workdir)
    return comparison


def _names(methods: Sequence[str] | None, fast: bool) -> list[str]:
    """Return the names of the methods to compare; of none given, those beside `align`'s own."""
    if methods is not None and not methods:
        raise ValueError("Nothing is left to compare: give methods.")
    for name in methods or ():
        if name not in METHODS:
            raise ValueError(f"There is no method {name}: choose from {', '.join(METHODS)}.")
    names = [name for name in methods or _FURTHER if not (fast and name in _FURTHER)]
    if methods and not names:
        raise ValueError(f"Nothing is left to compare: --fast leaves out {' and '.join(methods)}.")
    return names


def _classes(evidence: Evidence, names: Sequence[str]) -> Any:
    """Return the classes of x's encoder, if a method or the aligner uses their names."""
    ranks = (evidence.metadata or {}).get("held_out", {}).get("mean_log_rank", {})
    if NAMED not in ranks and NAMED not in names:
        return None
    x, y = evidence.x, evidence.y
    return encoder_classes(x.encoder, y.encoder, width=x.features.shape[1])


def _evaluated(
    problem: Problem, names: Sequence[str], folder: Folder, seed: int
) -> dict[str, HeldOut]:
    """Return the figures of the closed forms together, and of each further method by its name."""
    evaluated = {
        _CLOSED_FORMS: folder.kept(_CLOSED_FORMS, functools.partial(closed_forms, problem, seed))
    }
    for name in names:
        if name not in evaluated[_CLOSED_FORMS].recall:
            one = functools.partial(evaluate_method, problem, name, seed)
            evaluated[name] = folder.kept(name, one)
    return evaluated


def _rows(
    evaluated: Mapping[str, HeldOut], names: Sequence[str], concluded: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the figures of each method, its difference from the best pairs-only method, and the
    verdict on its difference from the method that `align` chooses."""
    of = {name: one for one in evaluated.values() for name in one.recall}
    each = {name: of[name].recall[name].mean(axis=(1, 2)) for name in of}
    unmatched = concluded["expected"]["unmatched"]
    best = max((name for name in PAIRS_ONLY if name in each), key=lambda name: each[name].mean())
    against, chosen = unmatched["against"] if unmatched else best, chosen_of(concluded)
    rows = []
    for name in names:
        fitted, method = of[name].fitted, METHODS.get(name)
        difference = None
        if name != against:
            gain = verdict.gain(each[name], each[against], fitted=fitted)
            difference = {**gain, "against": against}
        from_chosen = None
        if name != chosen and chosen in each:
            from_chosen = verdict.gain(each[name], each[chosen], fitted=fitted)["verdict"]
        rows.append(
            {
                "method": name,
                "label": method.label if method else name,
                # A candidate that is no method is a form of one that uses them.
                "unmatched": method.unmatched if method else True,
                "recall": held_out_recall(of[name], name),
                "difference": difference,
                "from_chosen": from_chosen,
            }
        )
    return sorted(rows, key=lambda row: -row["recall"]["value"])
