"""Log of a review: one line for each answer, undo, or list of given pairs, synced to the disk."""

import contextlib
import datetime
import json
import os
import pathlib
import re
from typing import Any, Literal, NamedTuple, get_args

Kind = Literal["match", "none", "unsure", "near"]
WITH_PARTNER = ("match", "near")
KINDS = get_args(Kind)
ASKED, RANDOMLY_ASKED = "asked", "asked at random"
# How a pair came about, by the sampling of its screen; pairs from elsewhere are "given".
SOURCES = {
    ASKED: "asked",
    RANDOMLY_ASKED: "random",
    "random": "random",
    "chance": "reviewed",
}
_SAMPLINGS = (*SOURCES, "ten")
Ids = list[tuple[str, str]]
FORMAT = 1
_FORMAT = re.compile(rb'^{"format": (\d+),')  # at the beginning of the first line


class Answer(NamedTuple):
    """The answer of a person to one screen.

    number: counts answers, including undone ones. y, x: ids; the item asked about, and its partner
    for "match" or the closest of ten for "near", else None. shown: ids in the grid, nearest first.
    sampling: how the screen was chosen: "chance" by likelihood, or "random"; "ten" if ten different
    x were shown; "asked" if an item stands for many others, and "asked at random". rank, cosine: of
    the partner; no rank if it was found by words. asked: the modality of the item asked about.
    """

    number: int
    y: str | None
    kind: Kind
    x: str | None = None
    shown: tuple[str, ...] = ()
    sampling: str = "chance"
    rank: int | None = None
    cosine: float | None = None
    asked: str = "y"

    @property
    def item(self) -> str:
        """The id of the item asked about."""
        return str(self.y if self.asked == "y" else self.x)

    @property
    def partner(self) -> str | None:
        """The id of its partner, or of the closest of ten."""
        return self.x if self.asked == "y" else self.y


class Log:
    """Append-only file; a line that could not be synced is cut off again.

    lines: those that are there at the start, without a last one that a kill left incomplete.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        content = path.read_bytes() if path.exists() else b""
        self._end = content.rfind(b"\n") + 1
        self.lines = content[: self._end].split(b"\n")[:-1]
        self._file = path.open("ab", buffering=0)

    def append(self, line: dict[str, Any]) -> None:
        """Append a line; it is on the disk when this returns.

        Raises:
          OSError: the disk is full or gone; the log is as it was.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        content = (json.dumps({**line, "time": now}, ensure_ascii=False) + "\n").encode()
        self._cut()
        try:
            rest = content
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):  # else before the next line
                self._cut()
            raise
        self._end += len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _cut(self) -> None:
        if os.fstat(self._file.fileno()).st_size > self._end:
            self._file.truncate(self._end)
            os.fsync(self._file.fileno())


def replayed(lines: list[bytes], path: pathlib.Path) -> tuple[dict[int, Answer], int]:
    """Return the answers that were not undone by their numbers, and the last number.

    Raises:
      ValueError: a line is damaged, or another version of this package began the log.
    """
    begun = _FORMAT.search(lines[0]) if lines else None
    if begun and int(begun[1]) != FORMAT:
        raise ValueError(
            f"{path} has format {int(begun[1])} and this version of gentle_clip_jax reads "
            f"{FORMAT}: go on with the version that wrote it."
        )
    answers: dict[int, Answer] = {}
    count = 0
    for place, line in enumerate(lines, 1):
        found = _parsed(line, f"{path}, line {place}")
        if isinstance(found, int):
            answers.pop(found, None)
        elif found is not None:
            answers[found.number] = found
            count = max(count, found.number)
    return answers, count


def _parsed(line: bytes, where: str) -> Answer | int | None:
    """Return an answer, the number of one that is undone, or None for a list of given pairs.

    Raises:
      ValueError: the line is none of these, or its screen is of a kind that no longer exists.
    """
    try:
        row = json.loads(line)
        if "given" in row:
            return None
        if "undo" in row:
            return int(row["undo"])
        answer = Answer(**{name: row[name] for name in Answer._fields if name in row})
        has_partner = answer.kind in WITH_PARTNER
        ids = (answer.y, answer.x) if answer.asked == "y" else (answer.x, answer.y)
        if answer.kind not in KINDS or has_partner != isinstance(ids[1], str) or ids[0] is None:
            raise ValueError("an answer of no kind")
        shown = tuple(map(str, answer.shown))
        y = None if answer.y is None else str(answer.y)
        answer = answer._replace(number=int(answer.number), y=y, shown=shown)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"{where} is no answer of a review: take the line out.") from error
    if answer.sampling not in _SAMPLINGS:
        raise ValueError(
            f"{where} has an answer to a screen of the kind {answer.sampling!r}, which this "
            "version of gentle_clip_jax does not show: go on with the version that wrote it."
        )
    return answer
