"""`align`: fit an aligner to two collections, hold pairs out, and say what to expect."""

import dataclasses
import logging
import pathlib
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax import aligners
from gentle_clip_jax.aligners import METHODS, Aligner, Problem
from gentle_clip_jax.aligners.closed_form.kept_rounds import kept_in
from gentle_clip_jax.aligners.evidence import check_count, digests_of
from gentle_clip_jax.aligners.expected import expected, held_out_figures, to_match
from gentle_clip_jax.aligners.fair_pairs import Fair, fair_pairs, item_of
from gentle_clip_jax.aligners.fit import fit_method
from gentle_clip_jax.aligners.fitted_sample import FittedSample
from gentle_clip_jax.aligners.forecast import time_and_memory
from gentle_clip_jax.aligners.problem import PLAN_ITEMS
from gentle_clip_jax.aligners.query_smoothing import QuerySmoothing
from gentle_clip_jax.aligners.refits import LEAST_PAIRS, held_out_pairs
from gentle_clip_jax.aligners.standardize import standardized
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given, collection_of, modalities_of
from gentle_clip_jax.features.names import encoder_classes
from gentle_clip_jax.features.origins import Origins, read_origins
from gentle_clip_jax.features.pairs import Matched, read_matched, read_pairs, warn_stale

_log = logging.getLogger(__name__)

READ_ITEMS = 16384  # unmatched items of a side that are read, unless more are to be planned
Classes = tuple[ArrayLike, ArrayLike]


def align(
    x: Given | Problem,
    y: Given | None = None,
    pairs: Any = None,
    *,
    method: str = "auto",
    seed: int = 0,
    classes: Literal["encoder"] | Classes | None = None,
    out: str | pathlib.Path | None = None,
    modalities: tuple[str | None, str | None] = (None, None),
    plan_items: int = PLAN_ITEMS,
) -> Aligner:
    """Fit an aligner to two collections and a few pairs; held-out pairs say what to expect of it.

    Args:
      x: a collection, a path that `read` takes, or features [n, d]; or a `Problem`, whose aligner
        has no figures of held-out pairs, and knows no ids.
      y: likewise, of the other modality.
      pairs: a CSV file, id pairs, a table, or numbers [k, 2] of items; None if equal ids are pairs.
        Items that share a partner count as one.
      method: "auto", which chooses by held-out pairs, or the name of a method: see
        docs/choose_a_method.md.
      seed: of all random choices.
      classes: "encoder" to use what the classes of x's encoder are called, or arrays, see
        `Problem`; then no pair is needed.
      out: a folder to save the aligner in. What a stopped fit to large sets has done is kept beside
        it, in OUT.rounds, until such a fit goes on and ends.
      modalities: names of an item of x and of one of y; those of the files if not given.
      plan_items: see `Problem`. Of more than 16,384 unmatched items, that many are read,
        or `plan_items` if that is more, chosen at random.

    Returns:
      The aligner, fitted to all pairs, which it remembers. Its `metadata` has "seed", "modalities",
      "encoders", "sha256" of features, ids and pairs, "origins" of pairs, and "expected": recall
      with its interval, and the gain from unmatched items; None without pairs. "to_match": see
      `expected.to_match`.

    Raises:
      ValueError: a file is not as it should be, there are fewer than three pairs, or the method
        needs what is not there.
    """
    if isinstance(x, Problem):
        return _of_problem(x, y, pairs, method, seed, classes, out)
    if y is None:
        raise ValueError("align needs both modalities: give x, y and pairs, or a Problem.")
    given = _Given.of(x, y, pairs, method, classes, modalities)
    if out is None:
        return _fitted(given, method, seed, plan_items)
    with kept_in(pathlib.Path(f"{pathlib.Path(out)}.rounds")):
        aligner = _fitted(given, method, seed, plan_items)
    aligner.save(out)
    return aligner


def _of_problem(
    problem: Problem,
    y: Any,
    pairs: Any,
    method: str,
    seed: int,
    classes: Any,
    out: str | pathlib.Path | None,
) -> Aligner:
    if y is not None or pairs is not None or isinstance(classes, str):
        raise ValueError(
            "A Problem has both modalities and the pairs: give it alone, options by name, as in "
            'align(problem, method="cca").'
        )
    aligner = aligners.align(problem, method, key=jax.random.key(seed), classes=classes)
    if out is not None:
        aligner.save(out)
    return aligner


class _Given(NamedTuple):
    """Collections as they were given, and as their pairs join items; ids [k, 2] of all pairs."""

    x: Collection
    y: Collection
    joined: Matched
    pairs: np.ndarray
    origins: Origins
    classes: Classes | None
    modalities: tuple[str, str]

    @classmethod
    def of(
        cls,
        x: Given,
        y: Given,
        pairs: Any,
        method: str,
        classes: Literal["encoder"] | Classes | None,
        modalities: tuple[str | None, str | None],
    ) -> "_Given":
        of_x, of_y = collection_of(x), collection_of(y)
        called = modalities_of(of_x, of_y, modalities)
        joined, every = Matched(of_x, of_y, np.empty((0, 2), str)), np.empty((0, 2), str)
        needs_pairs = classes is None and not (method in METHODS and METHODS[method].shared)
        if needs_pairs or pairs is not None or np.isin(of_x.ids, of_y.ids).any():
            every = read_pairs(pairs, of_x.ids, of_y.ids, several=True)
            warn_stale(pairs, of_x, of_y)
            joined = read_matched(every, of_x, of_y)
        count = len(joined.pairs)
        if count or needs_pairs:
            check_count(pairs, count)
        if classes is None and method in METHODS and METHODS[method].named:
            raise ValueError(f"{method} needs the classes of x's encoder: add --classes=encoder.")
        if isinstance(classes, str):
            classes = encoder_classes(of_x.encoder, of_y.encoder, width=of_x.features.shape[1])
        origins = read_origins(pairs, of_x.ids, of_y.ids)
        return cls(of_x, of_y, joined, every, origins, classes, called)

    @property
    def fair(self) -> Fair:
        """Which of the pairs are a random sample of the items to match."""
        ids = self.joined.pairs[:, 0]
        return fair_pairs(self.origins, ids, item_of(self.x, self.joined.x))


def _fitted(given: _Given, method: str, seed: int, plan_items: int) -> Aligner:
    """Fit, cross-validate, and keep the candidates of held-out pairs and the pairs themselves."""
    pairs, chosen = given.joined.pairs, METHODS.get(method)  # None of "auto"
    problem, unmatched = problem_of(
        *given.joined,
        seed=seed,
        classes=given.classes,
        plan_items=plan_items,
        most=max(READ_ITEMS, plan_items),
    )
    if not (chosen and chosen.shared):
        _report_constant(problem, given)
    planned = chosen is None or chosen.unmatched
    if planned and _log.isEnabledFor(logging.INFO) and (text := time_and_memory(problem)):
        _log.info(text)
    key = jax.random.key(seed)
    aligner, figures = fit_method(problem, method, key)  # the items are in random order
    if len(pairs) and method != "auto":
        figures = held_out_figures(problem, method, seed)
    metadata = {
        "seed": seed,
        "modalities": list(given.modalities),
        "encoders": {"x": given.x.encoder, "y": given.y.encoder},
        "sha256": digests_of(given.x, given.y, pairs),
        "origins": given.origins.metadata,
        "expected": figures and expected(problem, aligner.metadata, figures),
    }
    aligner = aligner.with_metadata(metadata).with_pairs(given.pairs)
    sides = [side for side in "xy" if getattr(given, side).texts is not None]
    texts = {side: QuerySmoothing.of(problem, side, seed=seed) for side in sides}
    samples = {s: FittedSample.of(problem, s, getattr(aligner, s), seed=seed) for s in "xy"}
    aligner = dataclasses.replace(aligner, texts=texts, samples=samples)
    is_evaluable = len(pairs) >= LEAST_PAIRS and aligner.metadata["method"] in METHODS
    if is_evaluable and all(map(len, unmatched)):  # else there is nothing to match
        evidence = held_out_pairs(aligner, problem, key).numbered(*unmatched)
        aligner = dataclasses.replace(aligner, held_out=evidence)
    to_come = to_match(aligner.held_out, given.joined, given.fair)
    return aligner.with_metadata({"to_match": to_come})


def _report_constant(problem: Problem, given: _Given) -> None:
    """Log how many features are constant; raise ValueError if all of a modality are."""
    for by, rows in zip(standardized(problem)[:2], (given.x, given.y)):
        count, width = int(np.isinf(by.deviation).sum()), len(by.deviation)
        if count == width:
            raise ValueError(
                f"All {width} features of {rows.name} are the same in every row, so that nothing "
                "can be learned from them: give other features."
            )
        if count:
            _log.info(f"{rows.name}: constant features, which are not used: {count} of {width:,}.")


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
