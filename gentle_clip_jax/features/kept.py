"""What a folder of features holds already, by the content that each row was made of."""

import contextlib
import json
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.files import put_aside, read_record, sha256, write_arrays

FEATURES, ROWS, MANIFEST, PARTS = "features.npy", "rows.jsonl", "manifest.json", "parts"
_UNSOUND = (ValueError, LookupError, TypeError, AttributeError, RecursionError, EOFError)
_UNSOUND += (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError)  # of .npz

Say = Callable[[str], None]  # tells a line to the user


class Kept(NamedTuple):
    """Features by the SHA-256 of their content.

    contents: the digest of all that a finished folder is of. arrays: of features [k, d]. places:
    an array and a row of it for each digest. flaws: why there are no features of a content.
    """

    contents: str
    arrays: list[np.ndarray]
    places: dict[str, tuple[int, int]]
    flaws: dict[str, str]

    def __contains__(self, digest: object) -> bool:
        return digest in self.places or digest in self.flaws

    def add(
        self, digests: Iterable[str], features: np.ndarray, reasons: Iterable[str | None]
    ) -> None:
        """Takes the features [k, d] of k contents, or the reasons why one has none."""
        for row, (digest, reason) in enumerate(zip(digests, reasons)):
            if reason is None:
                self.places[digest] = len(self.arrays), row
            else:
                self.flaws[digest] = reason
        self.arrays.append(features)

    def gather(self, digests: Sequence[str], dtype: str) -> np.ndarray:
        """The features [k, d] of k contents, each of which has some."""
        places = np.array([self.places[digest] for digest in digests])
        out = np.empty((len(digests), self.arrays[places[0, 0]].shape[1]), dtype)
        for number in np.unique(places[:, 0]):
            (here,) = np.nonzero(places[:, 0] == number)
            with np.errstate(over="ignore"):  # whether all are finite is asked of the result
                out[here] = self.arrays[number][places[here, 1]]
        return out


def read_finished(out: pathlib.Path, recipe: str, say: Say) -> Kept | None:
    """What an earlier command made and finished; None where it used another recipe, or none did.

    A damaged file is put aside, and so its features are made again.
    """
    path = out / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = read_record(path)
        if manifest.get("recipe_sha256") != recipe:
            say(f"{out} is of other weights, settings or versions: all is embedded again.")
            return None
        kept = Kept(manifest["contents_sha256"], [], {}, {})
        for name in (FEATURES, ROWS):
            if (out / name).exists():
                path = out / name
            if sha256(out / name) != manifest["sha256"][name]:
                raise ValueError("it is not as it was written")
        with path.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        features = np.load(out / FEATURES, allow_pickle=False)
        kept.add((row["sha256"] for row in rows), features, [None] * len(features))
        kept.flaws.update({s["sha256"]: s["reason"] for s in manifest["skipped"] if s["sha256"]})
    except _UNSOUND as error:
        _put_aside(path, error, say)
        return None
    return kept


def read_parts(out: pathlib.Path, recipe: str, kept: Kept, say: Say) -> None:
    """Adds what commands that were stopped have left; what another recipe made is removed."""
    for path in sorted((out / PARTS).glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
                ours = str(part["recipe_sha256"]) == recipe
                digests, reasons = (
                    json.loads(str(part["digests"])),
                    json.loads(str(part["reasons"])),
                )
                features = part["features"]
            if not len(digests) == len(reasons) == len(features) or features.ndim != 2:
                raise ValueError("it is no array of features")
        except _UNSOUND as error:
            _put_aside(path, error, say)
            continue
        if ours:
            kept.add(digests, features, reasons)
        else:
            path.unlink()


def write_part(
    out: pathlib.Path,
    recipe: str,
    digests: Sequence[str],
    features: np.ndarray,
    reasons: Sequence[str | None] | None = None,
) -> None:
    """Keeps features [k, d] of k contents until all are there, or why one has none."""
    (out / PARTS).mkdir(exist_ok=True)
    numbers = [int(path.stem) for path in (out / PARTS).glob("*.npz") if path.stem.isdecimal()]
    arrays = {
        "recipe_sha256": recipe,
        "digests": json.dumps([*digests]),
        "reasons": json.dumps([*(reasons or [None] * len(digests))]),
        "features": features,
    }
    write_arrays(out / PARTS / f"{max(numbers, default=-1) + 1}.npz", arrays)


def _put_aside(path: pathlib.Path, error: Exception, say: Say) -> None:
    reason = str(error) or type(error).__name__
    say(f"{path} cannot be used ({reason}): it is kept as {put_aside(path).name}, and made again.")


def remove_parts(out: pathlib.Path) -> None:
    """Removes the parts, once all of them is elsewhere; those that were put aside stay."""
    for path in (out / PARTS).glob("*.npz"):
        path.unlink()
    with contextlib.suppress(OSError):  # not empty
        (out / PARTS).rmdir()
