"""Reads what a run left in its folder: config.json, and what there is of the rest."""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Embeddings(NamedTuple):
    """Held-out items before and after training; row i of every array is item i."""

    image_initial: np.ndarray  # [n, d], unit rows, as the next three
    text_initial: np.ndarray
    image: np.ndarray
    text: np.ndarray
    names: np.ndarray  # [n] strings
    images: np.ndarray  # uint8: glyphs [n, height, width], 0 is background; or [n, h, w, 3]
    set: np.ndarray  # one string: which set they belong to


@dataclasses.dataclass(frozen=True)
class Run:
    """One run folder; a part that is not there yet is empty or None."""

    path: Path
    config: dict[str, Any]
    info: dict[str, Any]
    metrics: list[dict[str, Any]]
    num_unreadable_lines: int
    evaluation: dict[str, Any] | None
    embeddings: Embeddings | None

    def curve_names(self, kind: str) -> list[str]:
        """Names of the curves of a kind, `train` or `validation`, in the order they came."""
        lines = (line for line in self.metrics if line["kind"] == kind)
        return [n for n in dict.fromkeys(n for line in lines for n in line) if n not in _LINE_KEYS]

    def curve(self, kind: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps [t] and values [t] of one curve; both empty if it was never logged."""
        lines = [line for line in self.metrics if line["kind"] == kind and name in line]
        steps = np.array([line["step"] for line in lines], float)
        return steps, np.array([line[name] for line in lines], float)

    @property
    def last_step(self) -> int | None:
        """The last step that was logged."""
        return max((line["step"] for line in self.metrics), default=None)


_LINE_KEYS = ("step", "kind")


def read_run(path: str | Path) -> Run:
    """Reads the run folder at `path`.

    Raises ValueError, in one sentence, if it is no run folder or a file in it cannot be read.
    """
    path = Path(path)
    if not (path / "config.json").is_file():
        raise ValueError(
            f"{path} holds no config.json, so it is not a run folder; "
            "give the folder that was the --workdir of `gentle-clip train`."
        )
    metrics, num_unreadable_lines = _read_metrics(path / "metrics.jsonl")
    evaluation = _read_object(path / "evaluation.json")
    if evaluation is not None and not _is_evaluation(evaluation):
        raise _unreadable(path / "evaluation.json", "it lacks metrics with value, low and high")
    return Run(
        path=path,
        config=_read_object(path / "config.json") or {},
        info=_read_object(path / "run.json") or {},
        metrics=metrics,
        num_unreadable_lines=num_unreadable_lines,
        evaluation=evaluation,
        embeddings=_read_embeddings(path / "embeddings.npz"),
    )


def _unreadable(path: Path, reason: object) -> ValueError:
    return ValueError(
        f"{path} cannot be read ({reason}); write it anew with "
        f"`gentle-clip {'train' if path.name in ('config.json', 'run.json') else 'evaluate'}`."
    )


def _read_object(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise _unreadable(path, "it is no JSON object")
    return content


def _is_evaluation(evaluation: dict[str, Any]) -> bool:
    metrics = evaluation.get("metrics")
    return isinstance(metrics, dict) and all(
        isinstance(metric, dict)
        and all(isinstance(metric.get(key), int | float) for key in ("value", "low", "high"))
        for metric in metrics.values()
    )


def _read_metrics(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines in order of steps, and how many were cut short when a run was killed."""
    if not path.is_file():
        return [], 0
    latest, num_unreadable = {}, 0
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
            latest[line["step"], line["kind"]] = line  # a resumed run repeats steps
        except (ValueError, KeyError, TypeError):
            num_unreadable += 1
    return sorted(latest.values(), key=lambda line: line["step"]), num_unreadable


def _are_pictures(shape: tuple[int, ...], n: int) -> bool:
    return shape[:1] == (n,) and (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3))


def _read_embeddings(path: Path) -> Embeddings | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            embeddings = Embeddings(*(arrays[name] for name in Embeddings._fields))
    except Exception as error:  # of any kind where a zip file is broken
        raise _unreadable(path, error) from error
    n = len(embeddings.names)
    if n == 0 or any(array.ndim != 2 or len(array) != n for array in embeddings[:4]):
        raise _unreadable(path, "its arrays disagree about the number of items")
    if not all(np.isfinite(array).all() for array in embeddings[:4]):
        raise _unreadable(path, "it holds embeddings that are not finite")
    if embeddings.images.dtype != np.uint8 or not _are_pictures(embeddings.images.shape, n):
        raise _unreadable(path, "its images are not uint8 [n, height, width] or [n, h, w, 3]")
    return embeddings
