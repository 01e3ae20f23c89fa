"""What every method returns: raw features of two modalities in, unit rows of one space out."""

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
from jax import core
from jax.typing import ArrayLike

from gentle_clip_jax.aligners import saved
from gentle_clip_jax.aligners.closed_form.drawn import Drawn
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.aligners.held_out import reduced_problem
from gentle_clip_jax.aligners.problem import Features, Problem
from gentle_clip_jax.aligners.readout import Sides, drawn_sides, with_banks
from gentle_clip_jax.aligners.standardize import Classes, Standardizer, standardized
from gentle_clip_jax.parallel.cores import one_core_for_lapack

_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "flax", "optax", "numpy")


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["x", "y", "maps"], meta_fields=["record"]
)
@dataclasses.dataclass(frozen=True)
class Aligner:
    """A fitted aligner, a pytree: it owns what its fit needed, and takes raw features.

    x, y: what standardises features of either modality.
    maps: what embeds standardised features.
    record: JSON of what it was fitted by and on, see `about`.
    """

    x: Standardizer
    y: Standardizer
    maps: Embeds
    record: str = "{}"

    def embed_x(self, x: ArrayLike) -> jax.Array:
        """Unit rows [n, k] of raw features [n, dx].

        Raises:
          ValueError: the features have another shape than [n, dx], or are not finite.
        """
        return self.maps.embed_x(_standard("x", self.x, x))

    def embed_y(self, y: ArrayLike) -> jax.Array:
        """Unit rows [m, k] of raw features [m, dy]; errors as of `embed_x`."""
        return self.maps.embed_y(_standard("y", self.y, y))

    @property
    def about(self) -> dict[str, Any]:
        """The method, its settings, what it was fitted on (counts, SHA-256), versions, figures."""
        return json.loads(self.record)

    @property
    def drawn(self) -> Sides:
        """Which sides `draw_x` and `draw_y` change."""
        return Sides(**{"x": False, "y": False, **self.about.get("drawn", {})})

    def draw_x(self, rows: ArrayLike) -> jax.Array:
        """Rows [n, k] of `embed_x` as they are ranked for a query of y; a query is not drawn.

        Source: ours, the drawn gallery; see docs/align.md.
        """
        rows = jnp.asarray(rows)
        return self.maps.draw_x(rows) if isinstance(self.maps, Drawn) else rows

    def draw_y(self, rows: ArrayLike) -> jax.Array:
        """Rows [m, k] of `embed_y` as they are ranked for a query of x."""
        rows = jnp.asarray(rows)
        return self.maps.draw_y(rows) if isinstance(self.maps, Drawn) else rows

    def with_about(self, about: Mapping[str, Any]) -> "Aligner":
        """The same aligner, which tells more about itself: ids, encoders, hashes of weights."""
        return dataclasses.replace(self, record=json.dumps({**self.about, **about}))

    def save(self, folder: str | pathlib.Path) -> None:
        """Writes the aligner into a folder, whole or not at all; `load` reads it.

        Raises:
          OSError: the folder cannot be written.
        """
        parts = {"x": self.x, "y": self.y, "maps": self.maps}
        saved.write(pathlib.Path(folder), parts, self.about)


def load(folder: str | pathlib.Path) -> Aligner:
    """The aligner that `Aligner.save` has written into a folder.

    Args:
      folder: its path; or hf://ORG/NAME, hf://ORG/NAME@REVISION: a repository of the Hugging Face
        Hub that `gentle-clip push` has made, which is downloaded unless it is there.

    Raises:
      ValueError: the folder holds none, or one that is damaged or of another version, or it cannot
        be fetched.
    """
    parts, about = saved.read(saved.local(folder))
    if parts.keys() != {"x", "y", "maps"} or not isinstance(parts["x"], Standardizer):
        raise ValueError(f"{folder} holds something else than an aligner: give another folder.")
    return Aligner(**parts, record=json.dumps(about))


MapsFit = Callable[[Features, Classes | None], tuple[Embeds, Mapping[str, Any]]]


@one_core_for_lapack
def fitted(problem: Problem, fit: MapsFit) -> Aligner:
    """The aligner of a problem whose maps are fitted to standardised features.

    Args:
      problem: raw features.
      fit: from standardised features, and classes in their units, to maps and what `about` is to
        tell of them: "method", "settings", "held_out".
    """
    x, y, features, classes = standardized(problem)
    maps, about = fit(features, classes)
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    record = {**about, "fitted_on": problem.about, "versions": versions}
    return Aligner(x, y, maps, json.dumps(record))


@one_core_for_lapack
def with_readout(aligner: Aligner, problem: Problem, sides: Sides | None = None) -> Aligner:
    """The aligner, whose rows are drawn where they are ranked.

    Args:
      aligner: fitted to the problem.
      problem: raw features.
      sides: which are drawn, if there are rows enough; those that held-out pairs allow if not
        given.
    """
    features = standardized(problem)[2]
    sides = drawn_sides(reduced_problem(problem)[0]) if sides is None else sides
    maps = with_banks(features, aligner.maps, sides)
    drawn = {"x": maps.bank_y is not None, "y": maps.bank_x is not None}
    if any(drawn.values()):
        aligner = dataclasses.replace(aligner, maps=maps)
    return aligner.with_about({"drawn": drawn})


def _standard(name: str, by: Standardizer, rows: ArrayLike) -> jax.Array:
    shape, width = np.shape(rows), by.mean.shape[0]
    if len(shape) != 2 or shape[1] != width:
        raise ValueError(
            f"{name} must be [n, {width}], as the features that the aligner was fitted to; its "
            f"shape is {shape}."
        )
    if any(isinstance(array, core.Tracer) for array in (rows, by.mean)):
        return by.traced(jnp.asarray(rows))
    standard = by.rows(np.asarray(rows))
    if not np.isfinite(standard).all():
        raise ValueError(f"{name} holds numbers that are not finite: leave those rows out.")
    return jnp.asarray(standard)
