"""Held-out evidence on two collections and pairs, the same for align, compare and diagnose."""

import pathlib
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners import Aligner, Problem, candidates, choose, load, reduced
from gentle_clip_jax.aligners.closed_form.gentle import FEW_PAIRS
from gentle_clip_jax.aligners.expected import expected
from gentle_clip_jax.aligners.protocol import SharedSpace
from gentle_clip_jax.aligners.saved import local
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.evaluation.cross_validation import HeldOut
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given, collection_of
from gentle_clip_jax.features.pairs import Matched, read_matched
from gentle_clip_jax.storage.digests import sha256_of

LEAST_PAIRS = 3  # to fit to two and hold one out
_RELATIVES = (candidates.RELATIVE, candidates.CCA_JOINED, candidates.JOINED)
GivenAligner = Aligner | str | pathlib.Path


class Evidence(NamedTuple):
    """Two collections and their pairs, and the held-out figures that an aligner keeps of them.

    x, y: collections as they were given. joined: as `read_matched` joins items by their pairs.
    metadata: of an aligner that was fitted to just these, or None.
    aligner: the one that was given, or None.
    """

    x: Collection
    y: Collection
    joined: Matched
    metadata: dict[str, Any] | None
    aligner: Aligner | None

    @property
    def stated(self) -> dict[str, Any] | None:
        """The metadata, if they state whether unmatched items help."""
        figures = (self.metadata or {}).get("expected") or {}
        return self.metadata if figures.get("unmatched") else None

    def seed(self, given: int) -> int:
        """The seed of the aligner's folds, or the one that was given."""
        return given if self.metadata is None else self.metadata.get("seed", given)

    def modalities(self, names: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
        """The names of the modalities that were given, or else those of the aligner."""
        fitted = self.aligner and self.aligner.metadata.get("modalities")
        if not fitted or any(names):
            return names
        return fitted[0], fitted[1]


def read_evidence(
    x: Given, y: Given, pairs: Any, aligner: GivenAligner | None, *, unpaired: bool = False
) -> Evidence:
    """Read two collections, their pairs, and what an aligner keeps of them.

    Args:
      x, y: collections, paths that `read` takes, or features [n, d].
      pairs: as `read_pairs` takes them; if not given, the pairs that the aligner was fitted to, as
        far as both items are here, or else equal ids.
      aligner: a fitted aligner, or the folder that one was saved in.
      unpaired: whether there may be no pair at all.

    Raises:
      ValueError: a file is not as it should be, or an id of a pair is unknown.
    """
    of_x, of_y = collection_of(x), collection_of(y)
    opened = load(local(aligner)) if isinstance(aligner, str | pathlib.Path) else aligner
    if pairs is None and opened is not None:
        pairs = remembered_pairs(opened, of_x, of_y)
    if unpaired and pairs is None and not np.isin(of_x.ids, of_y.ids).any():
        joined = Matched(of_x, of_y, np.empty((0, 2), str))
    else:
        joined = read_matched(pairs, of_x, of_y)
    metadata = None
    if opened and opened.metadata.get("sha256") == digests_of(of_x, of_y, joined.pairs):
        metadata = opened.metadata
    return Evidence(of_x, of_y, joined, metadata, opened)


def remembered_pairs(
    aligner: Aligner, x: Collection, y: Collection
) -> list[tuple[str, str]] | None:
    """Return the pairs that an aligner was fitted to whose items are both here; None of none.

    Numbers of rows mean nothing beside other arrays than those of the fit.
    """
    fitted = aligner.metadata.get("sha256", {})
    for side, rows in (("x", x), ("y", y)):
        if rows.is_numbered and rows.sha256 != fitted.get(side):
            return None
    x_ids, y_ids = {*x.ids.tolist()}, {*y.ids.tolist()}
    pairs = [(a, b) for a, b in aligner.pairs or () if a in x_ids and b in y_ids]
    return pairs or None


def check_count(pairs: Any, count: int) -> None:
    """Raise ValueError if the `count` items that pairs join are too few to hold one out."""
    if count < LEAST_PAIRS:
        given = "equal ids" if pairs is None else "the pairs"
        given = str(pairs) if isinstance(pairs, str | pathlib.Path) else given
        raise ValueError(
            f"There are too few pairs to fit to and to hold one out, {count} by {given}: give "
            f"{LEAST_PAIRS} or more; gentle-clip ask says which items to describe."
        )


def digests_of(x: Collection, y: Collection, pairs: np.ndarray) -> dict[str, Any]:
    """Return SHA-256 digests of two collections, as they were read, and of pairs of ids [k, 2]."""
    return {"x": x.sha256, "y": y.sha256, "pairs": sha256_of(pairs.tolist())}


def is_constant(rows: Collection) -> bool:
    """Return whether all rows are the same, so that nothing can be learned from them."""
    return not np.isfinite(Standardizer.of(np.asarray(rows.features)).deviation).any()


def conclude(problem: Problem, held_out: HeldOut) -> dict[str, Any]:
    """Return the metadata of the aligner that `align` would fit by the figures of `closed_forms`.

    They have "method", "held_out", "fitted_on" and "expected", as `Aligner.metadata` has.
    """
    features, classes = reduced.reduced_problem(problem)
    if len(problem.x) < FEW_PAIRS:  # `align` does not consider them
        held_out = held_out.without(_RELATIVES)
    choice = choose.choose(features, held_out, named=classes is not None)
    metadata = {"method": choice.method, "held_out": choice.summary}
    metadata["fitted_on"] = {"pairs": len(problem.x)}
    return {**metadata, "expected": expected(problem, metadata, held_out)}


def held_out_of(
    aligner: SharedSpace, x: Collection, y: Collection, pairs: np.ndarray
) -> HeldOutPairs | None:
    """Return an aligner's evidence for matches, if it was fitted to these items and pairs.

    Args:
      x, y: as they were read, before items were joined.
      pairs: [k, 2] ids, as `read_matched` returns them.
    """
    evidence = aligner.held_out
    if evidence is None or aligner.metadata.get("sha256") != digests_of(x, y, pairs):
        return None
    unmatched = [
        len(np.setdiff1d(rows.items, pairs[:, column])) for column, rows in enumerate((x, y))
    ]
    return evidence if np.array_equal(evidence.galleries, unmatched) else None
