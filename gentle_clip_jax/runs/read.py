"""Readers of the files in a run's folder: config, run.json, metrics, evaluation, embeddings."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np

from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.records import read_record, unchecked
from gentle_clip_jax.storage.stores import place

Modalities = tuple[str, str]  # name of one item of x, and of one item of y
UNNAMED: Modalities = ("x", "y")
_LINE_KEYS = ("step", "kind")
_Finite = Annotated[float, msgspec.Meta(ge=-1e308, le=1e308)]


class _Info(msgspec.Struct):
    versions: dict[str, Any] = {}
    seconds: _Finite = 0.0


class _Metric(msgspec.Struct):
    value: _Finite
    low: _Finite
    high: _Finite


class _Evaluation(msgspec.Struct):
    metrics: dict[str, _Metric]
    split: str = ""
    step: int = 0
    num_items: int = 0


class Embeddings(NamedTuple):
    """Embeddings of held-out items before and after training; row i of every array is item i."""

    x_initial: np.ndarray  # [n, d], unit rows, as the next three
    y_initial: np.ndarray
    x: np.ndarray
    y: np.ndarray
    names: np.ndarray  # [n] strings
    pictures: np.ndarray  # uint8: glyphs [n, height, width], 0 is background; or [n, h, w, 3]
    set: np.ndarray  # one string: the set that they belong to


@dataclasses.dataclass(frozen=True)
class Run:
    """The content of a run's folder; a part that does not exist yet is empty or None."""

    folder: RunFolder
    config: dict[str, Any]
    info: dict[str, Any]
    metrics: list[dict[str, Any]]
    num_unreadable_lines: int
    evaluation: dict[str, Any] | None
    embeddings: Embeddings | None

    @property
    def modalities(self) -> Modalities:
        """Names of one item of x and of one item of y; x and y if the run has none."""
        return modalities_of(self.info | (self.evaluation or {}))

    def curve_names(self, kind: str) -> list[str]:
        """Return the names of the curves of a kind, `train` or `validation`, in logged order."""
        lines = (line for line in self.metrics if line["kind"] == kind)
        return [n for n in dict.fromkeys(n for line in lines for n in line) if n not in _LINE_KEYS]

    def curve(self, kind: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return steps [t] and values [t] of one curve; both empty if it was never logged."""
        lines = [line for line in self.metrics if line["kind"] == kind and name in line]
        steps = np.array([line["step"] for line in lines], float)
        return steps, np.array([line[name] for line in lines], float)

    @property
    def last_step(self) -> int | None:
        """The last logged step, None if there is none."""
        return max((line["step"] for line in self.metrics), default=None)


def read_run(path: str | Path) -> Run:
    """Read the run folder at `path`.

    Raises ValueError, in one sentence, if it is no run folder or a file in it is unreadable.
    """
    folder = RunFolder(place(path))
    config = read_config(folder.path).to_dict()
    metrics, num_unreadable_lines = _read_metrics(folder.metrics)
    return Run(
        folder=folder,
        config=config,
        info=read_info(folder),
        metrics=metrics,
        num_unreadable_lines=num_unreadable_lines,
        evaluation=read_evaluation(folder),
        embeddings=_read_embeddings(folder.embeddings),
    )


def read_info(folder: RunFolder) -> dict[str, Any]:
    """Return the content of run.json; empty if it does not exist yet.

    Raises ValueError, in one sentence, if it cannot be read.
    """
    return _read_object(folder.info, _Info)


def read_evaluation(folder: RunFolder) -> dict[str, Any] | None:
    """Return the content of evaluation.json; None if the run has not been evaluated.

    Raises ValueError, in one sentence, if it cannot be read.
    """
    if not folder.evaluation.exists():
        return None
    return _read_object(folder.evaluation, _Evaluation)


def modalities_of(record: Mapping[str, Any], default: Modalities = UNNAMED) -> Modalities:
    """Return the names of the modalities in a record of a run, a comparison or a diagnosis.

    Raises ValueError if they are not two names.
    """
    names = record.get("modalities", default)
    is_two = isinstance(names, list | tuple) and len(names) == 2
    if not is_two or not all(isinstance(name, str) and name for name in names):
        raise ValueError("its modalities are not two names")
    return names[0], names[1]


def read_line(content: bytes) -> dict[str, Any] | None:
    """Return the object in a line of metrics.jsonl, or None if it is damaged."""
    try:
        line = unchecked(json.loads(content.decode("utf-8")))
    except (ValueError, RecursionError):
        return None
    if not isinstance(line.get("kind"), str):
        return None
    step = line.get("step")
    if not isinstance(step, int) or not _is_number(step):
        return None
    if line["kind"] in ("train", "validation"):
        values = (value for key, value in line.items() if key not in _LINE_KEYS)
        return line if all(map(_is_number, values)) else None
    return line


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of a file as bytes, and the rest after the end of the last line."""
    return path.read_bytes().split(b"\n")


def _is_number(value: object) -> bool:
    """Return whether a value fits float64, including NaN and infinity but not Booleans."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, float)


def _unreadable(path: Path, reason: object) -> ValueError:
    command = "train" if path.name == "run.json" else "evaluate"
    return ValueError(
        f"{path} cannot be read ({reason}): delete it and run `gentle-clip {command}` again."
    )


def _read_object(path: Path, schema: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the content of a JSON file that matches a schema, empty if there is none."""
    try:
        content = read_record(path)
        modalities_of(content)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _unreadable(path, error) from error
    if flaw := reading.schema_flaw(content, schema):
        raise _unreadable(path, flaw)
    return content


def _read_metrics(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the lines in order of steps, and the number of damaged or truncated lines."""
    if not path.is_file():
        return [], 0
    *whole, last = lines_of(path)
    raw_lines = [*whole, *[last] * bool(last)]
    lines = [line for line in map(read_line, raw_lines) if line is not None]
    latest = {(line["step"], line["kind"]): line for line in lines}  # a resumed run repeats steps
    return sorted(latest.values(), key=lambda line: line["step"]), len(raw_lines) - len(lines)


def _are_pictures(shape: tuple[int, ...], n: int) -> bool:
    is_stack = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    return is_stack and shape[0] == n and 0 not in shape


def _read_embeddings(path: Path) -> Embeddings | None:
    if not path.is_file():
        return None
    try:
        arrays = reading.read_arrays(path)
        embeddings = Embeddings(*(arrays[name] for name in Embeddings._fields))
    except (ValueError, KeyError) as error:
        raise _unreadable(path, error) from error
    rows, names, pictures = embeddings[:4], embeddings.names, embeddings.pictures
    n, dims = names.size, {array.shape[-1:] for array in rows}
    if names.ndim != 1 or n == 0 or any(array.ndim != 2 or len(array) != n for array in rows):
        raise _unreadable(path, "its arrays disagree about the number of items")
    if len(dims) > 1 or any(array.dtype.kind != "f" for array in rows):
        raise _unreadable(path, "its embeddings are not floats of equal width")
    if not all(np.isfinite(array).all() for array in rows):
        raise _unreadable(path, "some embeddings are not finite")
    if pictures.dtype != np.uint8 or not _are_pictures(pictures.shape, n):
        raise _unreadable(path, "its pictures are not uint8 [n, height, width] or [n, h, w, 3]")
    return embeddings
