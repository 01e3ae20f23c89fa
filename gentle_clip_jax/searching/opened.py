"""An opened aligner with its items and queries, and the check that features fit it."""

import logging
import pathlib
from typing import Any, NamedTuple, Protocol

import numpy as np

from gentle_clip_jax.aligners import loading
from gentle_clip_jax.aligners.aligner import Aligner
from gentle_clip_jax.aligners.closed_form.arrays import leaves
from gentle_clip_jax.aligners.fitted_sample import EXPECTED, UNLIKE
from gentle_clip_jax.aligners.protocol import SharedSpace
from gentle_clip_jax.aligners.saved import local
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.folder import MANIFEST
from gentle_clip_jax.features.given import Given, collection_of
from gentle_clip_jax.searching.encoder import FeatureItems, QueryEncoder
from gentle_clip_jax.searching.run_items import Run, RunItems
from gentle_clip_jax.storage.digests import sha256, sha256_of

_log = logging.getLogger(__name__)
_OTHER = {"x": "y", "y": "x"}


class Items(Protocol):
    """Items and queries of an aligner: `FeatureItems` or `RunItems`."""

    def features_of(self, path: pathlib.Path, modality: str | None, /) -> pathlib.Path: ...

    def embed_into(self, folder: pathlib.Path, path: pathlib.Path, modality: str, /) -> bool: ...

    def word_encoder(self, first: str, /) -> QueryEncoder: ...

    def encode_file(self, path: pathlib.Path, /) -> tuple[str, np.ndarray]: ...


class Opened(NamedTuple):
    """An aligner with its items and queries.

    path: its folder. aligner: a fitted one, or a trained run. sha256: digest that identifies it.
    """

    path: pathlib.Path
    aligner: SharedSpace
    sha256: str
    items: Items

    def read(
        self, items: Given, side: str | None = None, *, aligned: bool = False
    ) -> tuple[Collection, str]:
        """Read items of one modality; return them and the modality. A run embeds raw items first.

        Args:
          items: a collection, a path that `read` takes, or features; with a run, a path of raw
            items, or a folder of `gentle-clip embed`.
          side: expected modality, "x" or "y"; detected if not given.
          aligned: whether rows that `embed` has written are accepted as well.

        Raises:
          ValueError: there is nothing to read, or it is not of that modality.
        """
        if isinstance(items, str | pathlib.Path):
            items = self.items.features_of(pathlib.Path(items), side)
        given = collection_of(items)
        made_by = given.manifest.get("aligner_sha256")
        if made_by is None:
            which = self.side_of(given, side)
            self.warn_changed(given, which)
            self.warn_unlike(given, which)
            return given, which
        if not aligned:
            raise ValueError(
                f"{given.name} was made by gentle-clip embed: give the features that it was made "
                f"of, {given.manifest['arguments']['features']}."
            )
        if made_by != self.sha256:
            raise ValueError(
                f"{given.name} was embedded by another aligner than {self.path}: run gentle-clip "
                "embed again."
            )
        warn_stale(given)
        return given, given.manifest["arguments"]["side"]

    def warn_changed(self, given: Collection, side: str) -> None:
        """Warn if these are the items that the aligner was fitted to, with other features.

        Numbers of rows are the same for other items.
        """
        fitted = self.aligner.metadata.get("sha256", {}).get(side)
        if not isinstance(fitted, dict) or given.is_numbered:
            return
        if sha256_of(given.ids.tolist()) == fitted.get("ids") and given.sha256 != fitted:
            _log.warning(
                f"{given.name} has the items that {self.path} was fitted to, but other features: "
                "run gentle-clip align again."
            )

    def warn_unlike(self, given: Collection, side: str) -> None:
        """Warn if the items are of another kind than those that the aligner was fitted to."""
        if not isinstance(self.aligner, Aligner):
            return  # a run
        sample = self.aligner.samples.get(side)
        share = sample and sample.share_atypical(given.features, getattr(self.aligner, side))
        if share and share > UNLIKE:
            _log.warning(
                f"{given.name}: {share:.0%} of the items are unlike those that {self.path} was "
                f"fitted to ({EXPECTED:.0%} would be usual), so it finds fewer partners than align "
                "stated: run gentle-clip align with these items and a few pairs among them."
            )

    def embed(self, side: str, features: np.ndarray) -> np.ndarray:
        """Return unit rows [n, k] of raw features [n, d] of a modality, "x" or "y"."""
        embed = self.aligner.embed_x if side == "x" else self.aligner.embed_y
        return np.asarray(embed(np.asarray(features)))

    def draw(self, side: str, rows: np.ndarray) -> np.ndarray:
        """Smooth embedded rows [n, k] of a modality, a gallery for queries of the other one."""
        draw = self.aligner.smooth_gallery_x if side == "x" else self.aligner.smooth_gallery_y
        return np.asarray(draw(rows))

    def draws(self, side: str) -> bool:
        """Return whether the gallery of a modality is smoothed."""
        return self.aligner.metadata.get("smoothed_galleries", {}).get(side, False)

    def encoder(self, side: str) -> dict[str, Any] | None:
        """Return the metadata of the encoder of a modality's features; None if unknown."""
        return self.aligner.metadata.get("encoders", {}).get(side)

    def remembered_pairs(self, x: Collection, y: Collection) -> list[tuple[str, str]] | None:
        """Return the pairs that it was fitted to whose items are both here; None of none."""
        from gentle_clip_jax.aligners.evidence import remembered_pairs  # loads JAX

        return remembered_pairs(self.aligner, x, y) if isinstance(self.aligner, Aligner) else None

    def width(self, side: str) -> int:
        """Return the number of features in a row of a modality."""
        return self.aligner.metadata["fitted_on"][f"features_{side}"]

    def side_of(self, given: Collection, asked: str | None = None) -> str:
        """Return the modality of features, "x" or "y", by their encoder or else their width.

        Raises:
          ValueError: they fit neither or both modalities, or not the expected one.
        """
        width, path = given.features.shape[1], given.name
        fits = [side for side in "xy" if self.width(side) == width]
        if not fits or (asked and asked not in fits):
            raise ValueError(
                f"{path} has {width} features a row; {self.path} was fitted to {self.width('x')} "
                f"of x and {self.width('y')} of y: give features of the same encoder."
            )
        made = given.encoder
        if made is not None:
            known = [side for side in fits if self.encoder(side)]
            same = [side for side in known if _is_same(self.encoder(side), made)]
            if (len(known) == len(fits) and not same) or (asked in known and asked not in same):
                was = self.encoder(asked or known[0]) or {}
                raise ValueError(
                    f"{path} was made by {made['encoder']} and {self.path} was fitted to features "
                    f"of {was['encoder']} with other weights, layers or views: encode as they were."
                )
            fits = same or fits
        if asked is None and len(fits) > 1:
            raise ValueError(
                f"{path} could be of either side of {self.path}: say which, --side=x or --side=y."
            )
        return asked or fits[0]


def other(side: str) -> str:
    """Return the other modality: "y" for "x", "x" for "y"."""
    return _OTHER[side]


def open_fitted(folder: str | pathlib.Path) -> Opened:
    """Open a folder written by `gentle-clip align` or `Aligner.save`; see `aligners.load`.

    Raises:
      ValueError: the folder has no intact aligner.
    """
    path = local(folder)
    aligner = loading.read(path)
    items = FeatureItems(str(path), aligner.metadata.get("encoders", {}), aligner)
    return Opened(path, aligner, sha256(path / "aligner.json"), items)


def opened_of(given: "Opened | Aligner | Run | str | pathlib.Path") -> Opened:
    """Open an aligner, its folder, or a trained run; an `Opened` is returned as it is.

    Messages call an aligner without a folder "aligner".
    """
    if isinstance(given, Opened):
        return given
    if isinstance(given, str | pathlib.Path):
        return open_fitted(given)
    if not isinstance(given, Aligner):
        return open_run(given)
    digests = [sha256_of(np.asarray(leaf)) for leaf in leaves(given)]
    items = FeatureItems("aligner", given.metadata.get("encoders", {}), given)
    return Opened(pathlib.Path("aligner"), given, sha256_of(digests), items)


def open_run(run: Run) -> Opened:
    """Open a trained run, which embeds raw items."""
    return Opened(run.path, run, run.sha256, RunItems(run))


def warn_stale(embedded: Collection) -> None:
    """Warn if the features that embedded rows were made of have changed since, if they are there.

    A file that is older than the rows is not read.
    """
    source = embedded.manifest.get("source_sha256")
    path, out = pathlib.Path(embedded.manifest["arguments"]["features"]), embedded.path
    try:
        if source is None or out is None or not path.exists():
            return
        if path.is_file() and path.stat().st_mtime < (out / MANIFEST).stat().st_mtime:
            return
        is_same = collection_of(path).sha256 == source
    except (OSError, ValueError):
        is_same = False
    if not is_same:
        _log.warning(
            f"{path} changed since {embedded.name} was embedded from it: run gentle-clip embed "
            "again."
        )


def _is_same(known: dict[str, Any] | None, made: dict[str, Any]) -> bool:
    # The two towers of one checkpoint have one file of weights.
    return known is not None and all(
        known.get(name) == made.get(name) for name in ("role", "layers", "views", "weights_sha256")
    )
