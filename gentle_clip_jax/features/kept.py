"""A cache of the features that a folder already has, by the content that each row was made of."""

import contextlib
import json
import logging
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.features.folder import FEATURES, MANIFEST, ROWS
from gentle_clip_jax.storage import reading, writing
from gentle_clip_jax.storage.locks import refuse_link
from gentle_clip_jax.storage.writing import put_aside, write_arrays

_log = logging.getLogger(__name__)

PARTS = "parts"
BLOCK = 512  # inputs per part, saved if a command is stopped, and rows in memory at a time
_UNSOUND = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError)


class Kept(NamedTuple):
    """The locations of cached features, by the SHA-256 of their content.

    contents: the digest of everything that a finished folder depends on. files: files of features
    [k, d], .npy or parts. places: the file and row of each digest. flaws: the reason why a content
    has no features.
    """

    contents: str
    files: list[pathlib.Path]
    places: dict[str, tuple[int, int]]
    flaws: dict[str, str]

    def __contains__(self, digest: object) -> bool:
        return digest in self.places or digest in self.flaws

    def add(
        self, digests: Iterable[str], path: pathlib.Path, reasons: Iterable[str | None]
    ) -> None:
        """Register a file with the features of k contents, or the reasons why a content has none.

        If a content has features already, the first ones stay.
        """
        for row, (digest, reason) in enumerate(zip(digests, reasons)):
            if reason is None:
                self.places.setdefault(digest, (len(self.files), row))
            else:
                self.flaws.setdefault(digest, reason)
        self.files.append(path)

    def blocks(self, digests: Iterable[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the cached features of contents, file by file: their numbers, and rows [k, d].

        No more than 512 rows are in memory at a time.
        """
        places = np.array([self.places[digest] for digest in digests]).reshape(-1, 2)
        order = np.argsort(places[:, 0], kind="stable")
        files, begins = np.unique(places[order, 0], return_index=True)
        for number, here in zip(files.tolist(), np.split(order, begins[1:])):
            features = _features(self.files[number])
            for start in range(0, len(here), BLOCK):
                some = here[start : start + BLOCK]
                yield some, features[places[some, 1]]


def _features(path: pathlib.Path) -> np.ndarray:
    """Map the features [k, d] of a part or of an .npy file; rows are read on access."""
    if path.suffix == ".npy":
        return reading.map_array(path)
    return reading.read_arrays(path)["features"]


def read_finished(out: pathlib.Path, recipe: str) -> Kept | None:
    """Return the features of an earlier, finished command; None if there are none by this recipe.

    A damaged file is put aside, and so its features are made again.
    """
    path = out / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = folders.read_manifest(out)
        if manifest.get("recipe_sha256") != recipe:
            _log.info(
                f"{out} was made with other weights, settings or versions: all is embedded again."
            )
            return None
        cached = Kept(manifest["contents_sha256"], [], {}, {})
        if changed := folders.changed_file(out, manifest):
            path = changed if changed.exists() else path
            raise ValueError(f"{changed.name} does not match its checksum")
        path = out / ROWS
        digests = [row["sha256"] for row in folders.read_rows(out)]
        cached.add(digests, out / FEATURES, [None] * len(_features(out / FEATURES)))
        cached.flaws.update({s["sha256"]: s["reason"] for s in manifest["skipped"] if s["sha256"]})
    except _UNSOUND as error:
        _put_aside(path, error)
        return None
    return cached


def read_parts(out: pathlib.Path, recipe: str, kept: Kept) -> None:
    """Add the parts that interrupted commands left; remove parts made by another recipe."""
    refuse_link(out / PARTS)
    for path in sorted((out / PARTS).glob("*.npz")):
        try:
            part = reading.read_arrays(path)
            ours = str(part["recipe_sha256"]) == recipe
            digests, reasons = (json.loads(str(part[name])) for name in ("digests", "reasons"))
            features = part["features"]
            if not len(digests) == len(reasons) == len(features) or features.ndim != 2:
                raise ValueError("it is no array of features")
        except _UNSOUND as error:
            _put_aside(path, error)
            continue
        if ours:
            kept.add(digests, path, reasons)
        else:
            path.unlink()


def write_part(
    out: pathlib.Path,
    recipe: str,
    digests: Sequence[str],
    features: np.ndarray,
    reasons: Sequence[str | None] | None = None,
) -> pathlib.Path:
    """Write a part: features [k, d] of k contents, or the reason why one has none.

    Return its path.
    """
    (out / PARTS).mkdir(exist_ok=True)
    numbers = [int(path.stem) for path in (out / PARTS).glob("*.npz") if path.stem.isdecimal()]
    arrays = {
        "recipe_sha256": recipe,
        "digests": json.dumps([*digests]),
        "reasons": json.dumps([*(reasons or [None] * len(digests))]),
        "features": features,
    }
    path = out / PARTS / f"{max(numbers, default=-1) + 1}.npz"
    write_arrays(path, arrays)
    return path


def _put_aside(path: pathlib.Path, error: Exception) -> None:
    reason = str(error) or type(error).__name__
    name = put_aside(path).name
    _log.warning(f"{path} cannot be used ({reason}): it is kept as {name}, and made again.")


def remove_parts(out: pathlib.Path) -> None:
    """Remove the parts, once all their rows are elsewhere.

    Damaged parts that were put aside stay.
    """
    for path in (out / PARTS).glob("*.npz"):
        path.unlink()
    with contextlib.suppress(OSError):  # not there, or not empty
        writing.remove_parts(out / PARTS)
        (out / PARTS).rmdir()
