"""`align_files`: fit, hold out, say what to expect, save."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gentle_clip_jax.aligners import METHODS, Aligner, Problem, align, candidates, reduced
from gentle_clip_jax.aligners.closed_form.kept_rounds import kept_in
from gentle_clip_jax.aligners.fit import fit_method
from gentle_clip_jax.aligners.problem import PLAN_ITEMS
from gentle_clip_jax.aligners.protocol import SharedSpace
from gentle_clip_jax.aligners.refits import LEAST_PAIRS, held_out_pairs
from gentle_clip_jax.aligning.outlook import outlook
from gentle_clip_jax.evaluation import verdict
from gentle_clip_jax.evaluation.cross_validation import TOP, HeldOut, cross_validate
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.evaluation.intervals import mean_interval
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.pairs import read_matched
from gentle_clip_jax.features.read import read
from gentle_clip_jax.files import sha256_of
from gentle_clip_jax.parallel.cores import one_core_for_lapack

_LEAST_PAIRS = 3
READ_ITEMS = 16384  # unmatched items of a side that are read, unless more are to be planned
Classes = tuple[np.ndarray, np.ndarray]


def align_files(
    x: str | pathlib.Path,
    y: str | pathlib.Path,
    pairs: str | pathlib.Path | None,
    out: str | pathlib.Path | None = None,
    *,
    method: str = "auto",
    seed: int = 0,
    modalities: tuple[str, str] = ("x", "y"),
    names: Callable[[Collection, Collection], Classes] | None = None,
    plan_items: int = PLAN_ITEMS,
    tell: Callable[[str], object] | None = None,
) -> Aligner:
    """Fits an aligner to files of embeddings and says, by held-out pairs, what to expect of it.

    Args:
      x: a file of embeddings, or a folder of `gentle-clip encode`.
      y: likewise, of the other modality.
      pairs: a file with an id of each side on every line; None if equal ids are pairs. Items that
        share a partner count as one.
      out: the folder to save the aligner in, if any. What a stopped fit to large sets has done is
        kept beside it, in OUT.rounds, until such a fit goes on and ends.
      method: see `align`.
      seed: of what is drawn at random, the splits among it.
      modalities: what an item of x and one of y are called.
      names: from both sides to the classes of x's encoder and what they are called, see `Problem`;
        then no pair is needed at all.
      plan_items: see `Problem`. Of sets with more than 16,384 unmatched items, closed forms read
        that many, or `plan_items` if that is more, drawn at random.
      tell: is told, before a fit to large sets begins, what it will take.

    Returns:
      The aligner, fitted to all pairs. Its `about` has "modalities", "encoders" (name, role and
      SHA-256 of the weights of each, None if not known), "sha256" of features, ids and pairs, and
      "expected": recall with its interval, and what unmatched items brought; None without pairs.

    Raises:
      ValueError: a file is not as it should be, there are fewer than three pairs, or the method
        needs what is not there.
    """
    of_x, of_y = read(x), read(y)
    joined_x, joined_y, found = of_x, of_y, np.empty((0, 2), str)
    if names is None or pairs is not None or np.isin(of_x.ids, of_y.ids).any():
        joined_x, joined_y, found = read_matched(pairs, of_x, of_y)
    if len(found) < _LEAST_PAIRS and (names is None or len(found)):
        raise ValueError(
            f"{pairs or 'Equal ids'} give {len(found)} pairs, too few to fit to and to hold one "
            "out: give 3 or more; gentle-clip ask says which items to describe."
        )
    if names is None and method in METHODS and METHODS[method].named:
        raise ValueError(f"{method} needs the classes of x's encoder: add --names=encoder.")
    classes = None if names is None else names(of_x, of_y)
    chosen = METHODS.get(method)  # None of "auto"
    most = None if chosen and chosen.trained else max(READ_ITEMS, plan_items)
    problem, unmatched = problem_of(
        joined_x,
        joined_y,
        found,
        seed=seed,
        classes=classes,
        plan_items=plan_items,
        most=most,
    )
    planned = chosen is None or (chosen.unmatched and not chosen.trained)
    if tell and planned and (text := outlook(problem)):
        tell(text)
    key = jax.random.key(seed)
    rounds = None if out is None else pathlib.Path(f"{pathlib.Path(out)}.rounds")
    with kept_in(rounds):
        if chosen and chosen.trained:
            aligner, held = align(problem, method, key=key), None
        else:  # the items were drawn in random order
            aligner, held = fit_method(problem, method, key)
        if len(found) and method != "auto":
            held = _held_out(problem, method, key, seed)
    about = {
        "modalities": list(modalities),
        "encoders": {"x": of_x.encoder, "y": of_y.encoder},
        "sha256": _digests(of_x, of_y, found),
        "expected": held and _expected(problem, aligner.about, held),
    }
    aligner = aligner.with_about(about)
    is_evaluable = len(found) >= LEAST_PAIRS and aligner.about["method"] in METHODS
    if is_evaluable and all(map(len, unmatched)):  # else there is nothing to match
        evidence = held_out_pairs(aligner, problem, key).numbered(*unmatched)
        aligner = dataclasses.replace(aligner, held_out=evidence)
    if out is not None:
        aligner.save(out)
    return aligner


def held_out_of(
    aligner: SharedSpace, x: Collection, y: Collection, pairs: np.ndarray
) -> HeldOutPairs | None:
    """Return an aligner's evidence for matches, if it was fitted to these items and pairs.

    Args:
      x, y: as they were read, before items were joined.
      pairs: [k, 2] ids, as `read_matched` returns them.
    """
    held = aligner.held_out
    if held is None or aligner.about.get("sha256") != _digests(x, y, pairs):
        return None
    unmatched = [
        len(np.setdiff1d(rows.items, pairs[:, column])) for column, rows in enumerate((x, y))
    ]
    return held if np.array_equal(held.galleries, unmatched) else None


def _digests(x: Collection, y: Collection, pairs: np.ndarray) -> dict[str, Any]:
    return {"x": x.sha256, "y": y.sha256, "pairs": sha256_of(pairs.tolist())}


def problem_of(
    x: Collection,
    y: Collection,
    pairs: np.ndarray,
    *,
    seed: int = 0,
    classes: Classes | None = None,
    plan_items: int = PLAN_ITEMS,
    most: int | None = None,
) -> tuple[Problem, tuple[np.ndarray, np.ndarray]]:
    """Return the problem of two modalities and their pairs, unmatched items in random order.

    Args:
      pairs: [k, 2] ids.
      most: number of unmatched items that are read, so that files may be larger than the memory;
        all if not given.

    Returns:
      The problem, and the numbers [u], [v] of its unmatched items among all items of x and of y.
    """
    rng, arrays, numbers = np.random.default_rng(seed), [], []
    for column, rows in enumerate((x, y)):
        others = rng.permutation(np.setdiff1d(rows.items, pairs[:, column]))[:most]
        arrays += [rows.of_items(ids) for ids in (pairs[:, column], others)]
        numbers.append(rows.numbers_of(others))
    of_x, unmatched_x, of_y, unmatched_y = arrays
    sets = of_x, of_y, unmatched_x, unmatched_y
    problem = Problem(*sets, classes=classes, plan_items=plan_items)
    return problem, (numbers[0], numbers[1])


@one_core_for_lapack
def _held_out(problem: Problem, method: str, key: jax.Array, seed: int) -> HeldOut:
    """Cross-validate a method and the pairs-only methods."""
    features, classes = reduced.reduced_problem(problem)
    if method in (candidates.PLANNED, candidates.NAMED, candidates.JOINED):
        return candidates.evaluate_candidates(features, classes, seed=seed, relatives=True)
    evaluated = candidates.pairs_only(features, relatives=True)
    if method not in evaluated:
        fit = lambda part: METHODS[method].fit(part, key)  # noqa: E731
        evaluated[method] = reduced.raw_candidate(problem, fit)
    return cross_validate(evaluated, len(problem.x), seed=seed)


def _expected(problem: Problem, about: dict[str, Any], held: HeldOut) -> dict[str, Any]:
    """Return the held-out figures of the method that `about` names.

    recall: "value" (mean of R@1, 5 and 10, both ways), "low", "high" and the recalls "at" 1, 5 and
    10; chance: that value by chance; among: how many items a partner was among; splits; unmatched:
    see `verdict.gain`, with the methods that were compared, None without unmatched items.
    """
    chosen = about.get("held_out", {})
    method = chosen.get("chosen", about["method"])
    each = {name: values.mean(axis=(1, 2)) for name, values in held.recall.items()}
    recall = mean_interval(
        each[method], fitted=held.fitted, level=verdict.EXPECTED, bounds=(0.0, 1.0)
    )
    at = held.recall[method].mean(axis=(0, 1))
    rival = chosen.get("best_with_unmatched_items")
    if rival is None and METHODS[about["method"]].unmatched:
        rival = method
    has_unmatched = min(len(problem.unmatched_x), len(problem.unmatched_y)) > 0
    return {
        "recall": {**recall, "at": dict(zip(map(str, TOP), at.tolist()))},
        "among": held.gallery,
        "splits": held.splits,
        "chance": float(np.mean([min(1.0, top / held.gallery) for top in TOP])),
        "unmatched": _unmatched(each, rival, held.fitted) if rival and has_unmatched else None,
    }


def _unmatched(each: dict[str, np.ndarray], rival: str, fitted: int) -> dict[str, Any]:
    pairs_only = (name for name in candidates.PAIRS_ONLY if name in each)
    against = max(pairs_only, key=lambda name: each[name].mean())
    gain = verdict.gain(each[rival], each[against], fitted=fitted)
    return {**gain, "method": rival, "against": against}
