"""The aligner that every method fits: a map of raw features into unit rows of one space."""

import dataclasses
import functools
import importlib.metadata
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gentle_clip_jax.aligners import query_smoothing, saved
from gentle_clip_jax.aligners.closed_form.arrays import to_map
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import Galleries, SmoothedGallery
from gentle_clip_jax.aligners.fitted_sample import FittedSample
from gentle_clip_jax.aligners.kinds import kind
from gentle_clip_jax.aligners.query_smoothing import QuerySmoothing
from gentle_clip_jax.aligners.sentences import sentences
from gentle_clip_jax.aligners.standardizer import Standardizer
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.parallel.cores import one_core_for_lapack

if TYPE_CHECKING:  # they load JAX, which a saved aligner does without
    import jax

    from gentle_clip_jax.aligners.problem import Features, Problem
    from gentle_clip_jax.aligners.standardize import Classes, Standardized
    from gentle_clip_jax.evaluation.cross_validation import Embeds

_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "numpy")
PARTS = ("x", "y", "maps", "held_out", "pair_ids", "texts", "samples")


@dataclasses.dataclass(frozen=True)
class Aligner:
    """A fitted aligner, a pytree: it maps raw features and needs no other file.

    x, y: standardise the features of either modality.
    maps: embed standardised features.
    record: JSON of the metadata, see `metadata`.
    held_out: candidates of held-out pairs, from which `match` calibrates; None of a `Problem`.
    pair_ids: UTF-8 bytes of the JSON of `pairs`, uint8; None of a `Problem`, which has no ids.
    texts: "x", "y": query smoothing of a modality of texts; of collections that have texts.
    samples: "x", "y": items that it was fitted to, to recognise others; of collections.
    """

    x: Standardizer
    y: Standardizer
    maps: "Embeds"
    record: str = "{}"
    held_out: HeldOutPairs | None = None
    pair_ids: np.ndarray | None = None
    texts: Mapping[str, QuerySmoothing | None] = dataclasses.field(default_factory=dict)
    samples: Mapping[str, FittedSample | None] = dataclasses.field(default_factory=dict)

    def embed_x(self, x: ArrayLike) -> "jax.Array":
        """Return the unit rows [n, k] of raw features [n, dx].

        Raises:
          ValueError: the features have another shape than [n, dx], or are not finite.
        """
        return self.maps.embed_x(self.x.standard(x, "x"))

    def embed_y(self, y: ArrayLike) -> "jax.Array":
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

    def smooth_gallery_x(self, rows: ArrayLike) -> "jax.Array":
        """Smooth rows [n, k] of `embed_x` that are ranked for queries of y; queries stay as is.

        Source: ours, gallery smoothing; see docs/choose_a_method.md.
        """
        maps, mapped = self.maps, to_map(rows)
        return maps.smooth_gallery_x(mapped) if isinstance(maps, SmoothedGallery) else mapped

    def smooth_gallery_y(self, rows: ArrayLike) -> "jax.Array":
        """Smooth rows [m, k] of `embed_y` that are ranked for queries of x."""
        maps, mapped = self.maps, to_map(rows)
        return maps.smooth_gallery_y(mapped) if isinstance(maps, SmoothedGallery) else mapped

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
        parts = {name: getattr(self, name) for name in PARTS}
        saved.write(pathlib.Path(folder), parts, self.metadata, kind)

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


@functools.cache
def register() -> None:
    """Make aligners pytrees of JAX, as soon as one is fitted, or loaded to be one."""
    import jax

    jax.tree_util.register_dataclass(Aligner, data_fields=[*PARTS], meta_fields=["record"])


def by_jax(aligner: Aligner) -> Aligner:
    """Return an aligner with JAX's arrays for NumPy's.

    Moments stay in float64, which JAX does not support by default.
    """
    import jax
    import jax.numpy as jnp

    def converted(leaf: Any) -> Any:
        is_kept = not isinstance(leaf, np.ndarray) or leaf.dtype == np.float64
        return leaf if is_kept else jnp.asarray(leaf)

    register()
    return jax.tree.map(converted, aligner)


@one_core_for_lapack
def fitted(
    problem: "Problem",
    fit: "Callable[[Features, Classes | None], tuple[Embeds, Mapping[str, Any]]]",
    standardize: "Callable[[Problem], Standardized] | None" = None,
) -> Aligner:
    """Fit the maps of an aligner to standardised features.

    Args:
      problem: raw features.
      fit: function of standardised features, and classes in their units, that returns maps and
        their metadata: "method", "settings", "held_out".
      standardize: `standardized`, the default, or `in_one_unit` of features of one space.
    """
    from gentle_clip_jax.aligners.standardize import standardized

    register()
    x, y, features, classes = (standardize or standardized)(problem)
    maps, metadata = fit(features, classes)
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    record = {**metadata, "fitted_on": problem.metadata, "versions": versions}
    return Aligner(x, y, maps, json.dumps(record))


@one_core_for_lapack
def with_gallery_smoothing(
    aligner: Aligner, problem: "Problem", galleries: Galleries | None = None
) -> Aligner:
    """Add gallery smoothing to an aligner.

    Args:
      aligner: fitted to the problem.
      problem: raw features.
      galleries: galleries to smooth, where there are enough rows; held-out pairs choose them if
        not given.
    """
    from gentle_clip_jax.aligners.gallery import choose_galleries, with_banks
    from gentle_clip_jax.aligners.reduced import reduced_problem
    from gentle_clip_jax.aligners.standardize import standardized

    features = standardized(problem)[2]
    if galleries is None:
        galleries = choose_galleries(reduced_problem(problem)[0])
    maps = with_banks(features, aligner.maps, galleries)
    smoothed = {"x": maps.bank_y is not None, "y": maps.bank_x is not None}
    if any(smoothed.values()):
        aligner = dataclasses.replace(aligner, maps=maps)
    return aligner.with_metadata({"smoothed_galleries": smoothed})
