"""The aligner that every method fits: a map of raw features into unit rows of one space."""

import dataclasses
import functools
import importlib.metadata
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.aligners import closed_form, query_smoothing, saved
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import SmoothedGallery
from gentle_clip_jax.aligners.closed_form.joined import Joined
from gentle_clip_jax.aligners.closed_form.zero_pairs import Named
from gentle_clip_jax.aligners.gallery import Galleries, choose_galleries, with_banks
from gentle_clip_jax.aligners.problem import Features, Problem
from gentle_clip_jax.aligners.query_smoothing import QuerySmoothing
from gentle_clip_jax.aligners.reduced import reduced_problem
from gentle_clip_jax.aligners.sentences import sentences
from gentle_clip_jax.aligners.standardize import Classes, Standardized, Standardizer, standardized
from gentle_clip_jax.evaluation.cross_validation import Embeds
from gentle_clip_jax.evaluation.held_out_pairs import Direction, HeldOutPairs
from gentle_clip_jax.parallel.cores import one_core_for_lapack

_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "numpy")
_PARTS = ("x", "y", "maps", "held_out", "pair_ids", "texts")


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=[*_PARTS],
    meta_fields=["record"],
)
@dataclasses.dataclass(frozen=True)
class Aligner:
    """A fitted aligner, a pytree: it maps raw features and needs no other file.

    x, y: standardise the features of either modality.
    maps: embed standardised features.
    record: JSON of the metadata, see `metadata`.
    held_out: candidates of held-out pairs, from which `match` calibrates; None of a `Problem`.
    pair_ids: UTF-8 bytes of the JSON of `pairs`, uint8; None of a `Problem`, which has no ids.
    texts: "x", "y": query smoothing of a modality of texts; of collections that have texts.
    """

    x: Standardizer
    y: Standardizer
    maps: Embeds
    record: str = "{}"
    held_out: HeldOutPairs | None = None
    pair_ids: np.ndarray | None = None
    texts: Mapping[str, QuerySmoothing | None] = dataclasses.field(default_factory=dict)

    def embed_x(self, x: ArrayLike) -> jax.Array:
        """Return the unit rows [n, k] of raw features [n, dx].

        Raises:
          ValueError: the features have another shape than [n, dx], or are not finite.
        """
        return self.maps.embed_x(self.x.standard(x, "x"))

    def embed_y(self, y: ArrayLike) -> jax.Array:
        """Return the unit rows [m, k] of raw features [m, dy]; raises the errors of `embed_x`."""
        return self.maps.embed_y(self.y.standard(y, "y"))

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the metadata: method, settings, data, SHA-256, versions, held-out figures."""
        return json.loads(self.record)

    @property
    def can_refit(self) -> bool:
        """True: other pairs are fitted in moments."""
        return True

    @property
    def summary(self) -> list[str]:
        """Held-out recall in plain sentences; of an aligner fitted to collections."""
        return sentences(self.metadata)

    @property
    def smoothed_galleries(self) -> Galleries:
        """Return which galleries `smooth_gallery_x` and `smooth_gallery_y` smooth."""
        return Galleries(**{"x": False, "y": False, **self.metadata.get("smoothed_galleries", {})})

    def smooth_gallery_x(self, rows: ArrayLike) -> jax.Array:
        """Smooth rows [n, k] of `embed_x` that are ranked for queries of y; queries stay as is.

        Source: ours, gallery smoothing; see docs/choose_a_method.md.
        """
        rows, maps = jnp.asarray(rows), self.maps
        return maps.smooth_gallery_x(rows) if isinstance(maps, SmoothedGallery) else rows

    def smooth_gallery_y(self, rows: ArrayLike) -> jax.Array:
        """Smooth rows [m, k] of `embed_y` that are ranked for queries of x."""
        rows, maps = jnp.asarray(rows), self.maps
        return maps.smooth_gallery_y(rows) if isinstance(maps, SmoothedGallery) else rows

    def smooth_queries_x(self, x: ArrayLike, *, classes: bool = False) -> np.ndarray:
        """Return raw features [n, dx] of typed texts, moved towards the texts of the items.

        Smooth words, labels and prompts before `embed_x`, but no items. Without `texts` they stay.
        classes: the rows are all classes, two or more, of a zero-shot classification; their own
        mean takes the place of that of the items. Raises the errors of `embed_x`.

        Source: ours, query smoothing; see docs/choose_a_method.md.
        """
        return query_smoothing.smooth_queries(x, "x", self.x, self.texts.get("x"), classes)

    def smooth_queries_y(self, y: ArrayLike, *, classes: bool = False) -> np.ndarray:
        """Return raw features [m, dy] of typed texts, moved, see `smooth_queries_x`."""
        return query_smoothing.smooth_queries(y, "y", self.y, self.texts.get("y"), classes)

    def with_metadata(self, metadata: Mapping[str, Any]) -> "Aligner":
        """Return the same aligner with more metadata: ids, encoders, hashes of weights."""
        return dataclasses.replace(self, record=json.dumps({**self.metadata, **metadata}))

    @property
    def pairs(self) -> list[tuple[str, str]] | None:
        """The ids of the pairs that it was fitted to; None if they are not known."""
        if self.pair_ids is None:
            return None
        return [(x, y) for x, y in json.loads(np.asarray(self.pair_ids).tobytes())]

    def with_pairs(self, pairs: ArrayLike) -> "Aligner":
        """Return the same aligner, which remembers the ids [k, 2] of its pairs."""
        record = json.dumps(np.asarray(pairs).tolist()).encode()
        return dataclasses.replace(self, pair_ids=np.frombuffer(record, np.uint8))

    def save(self, folder: str | pathlib.Path) -> None:
        """Write the aligner into a folder, whole or not at all; `load` reads it.

        Raises:
          OSError: the folder cannot be written.
        """
        parts = {name: getattr(self, name) for name in _PARTS}
        saved.write(pathlib.Path(folder), parts, self.metadata, _kind)

    def __repr__(self) -> str:
        metadata, fitted = self.metadata, self.metadata.get("fitted_on", {})
        lines = [f"Aligner by {metadata.get('method', 'an unknown method')}"]
        if fitted:
            pairs, x, y = (fitted.get(name, 0) for name in ("pairs", "unmatched_x", "unmatched_y"))
            lines.append(f"fitted to {pairs:,} pairs, {x:,} and {y:,} unmatched items")
        if metadata.get("expected"):
            recall = metadata["expected"]["recall"]["at"]["10"]
            among = metadata["expected"]["among"]
            lines.append(
                f"recall at 10 of held-out pairs {100 * recall:.0f} % among {among:,} items"
            )
        return f"<{'; '.join(lines)}>"


def load(folder: str | pathlib.Path) -> Aligner:
    """Load the aligner that `Aligner.save` has written into a folder.

    Args:
      folder: its path; or hf://ORG/NAME, hf://ORG/NAME@REVISION: a repository of the Hugging Face
        Hub that `gentle-clip push` has made, which is downloaded unless it is there.

    Raises:
      ValueError: the folder holds none that is whole and of this version, or cannot be fetched.
    """
    parts, metadata = saved.read(saved.local(folder), _kind)
    if parts.keys() != {*_PARTS} or not isinstance(parts["x"], Standardizer):
        raise ValueError(f"{folder} holds something else than an aligner: give another folder.")
    for leaf in map(np.asarray, jax.tree.leaves([parts["maps"], parts["texts"]])):
        if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            raise ValueError(f"The maps in {folder} are not finite: align again.")
    x, y = (jax.ShapeDtypeStruct((1, parts[name].width), jnp.float32) for name in "xy")
    maps = parts["maps"]
    try:
        jax.eval_shape(lambda x, y: maps.embed_x(x) @ maps.embed_y(y).T, x, y)
    except Exception as error:  # of JAX or NumPy
        raise ValueError(f"The maps in {folder} do not fit its features: align again.") from error
    return Aligner(**parts, record=json.dumps(metadata))


_KINDS = (
    *(closed_form.Anchors, closed_form.Maps, closed_form.Smoothed, Joined, Named, SmoothedGallery),
    *(Direction, HeldOutPairs, QuerySmoothing, Standardizer),
)


def _kind(name: str) -> type | None:
    """Return the class of a part of an aligner by its name; None of any other."""
    return {kind.__name__: kind for kind in _KINDS}.get(name)


MapsFit = Callable[[Features, Classes | None], tuple[Embeds, Mapping[str, Any]]]


@one_core_for_lapack
def fitted(
    problem: Problem,
    fit: MapsFit,
    standardize: Callable[[Problem], Standardized] = standardized,
) -> Aligner:
    """Fit the maps of an aligner to standardised features.

    Args:
      problem: raw features.
      fit: function of standardised features, and classes in their units, that returns maps and
        their metadata: "method", "settings", "held_out".
      standardize: `standardized`, or `in_one_unit` of features of one space.
    """
    x, y, features, classes = standardize(problem)
    maps, metadata = fit(features, classes)
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    record = {**metadata, "fitted_on": problem.metadata, "versions": versions}
    return Aligner(x, y, maps, json.dumps(record))


@one_core_for_lapack
def with_gallery_smoothing(
    aligner: Aligner, problem: Problem, galleries: Galleries | None = None
) -> Aligner:
    """Add gallery smoothing to an aligner.

    Args:
      aligner: fitted to the problem.
      problem: raw features.
      galleries: galleries to smooth, where there are enough rows; held-out pairs choose them if
        not given.
    """
    features = standardized(problem)[2]
    if galleries is None:
        galleries = choose_galleries(reduced_problem(problem)[0])
    maps = with_banks(features, aligner.maps, galleries)
    smoothed = {"x": maps.bank_y is not None, "y": maps.bank_x is not None}
    if any(smoothed.values()):
        aligner = dataclasses.replace(aligner, maps=maps)
    return aligner.with_metadata({"smoothed_galleries": smoothed})
