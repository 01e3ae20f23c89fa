"""Files of a review: a log to which answers are appended, and the pairs derived from it.

Beside pairs.csv there are review.jsonl, with a line for each answer or undo, synced to disk before
the next screen is shown; pairs.csv.bak, the pairs before the review; not_pairs.csv; and
near_pairs.csv, the answers to "closest of ten". pairs.csv is always pairs.csv.bak followed by the
confirmed pairs, so that undoing every answer restores it byte for byte.
"""

import contextlib
import datetime
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

from gentle_clip_jax.storage.locks import locked
from gentle_clip_jax.storage.tables import csv_bytes, write_csv
from gentle_clip_jax.storage.writing import writing

Kind = Literal["match", "none", "unsure", "near"]
WITH_PARTNER = ("match", "near")
KINDS = get_args(Kind)


class Answer(NamedTuple):
    """The answer of a person to one screen.

    number: counts answers, including undone ones. y, x: ids; x is the partner for "match", the
    closest of ten for "near", else None. shown: ids of x in the grid, nearest first. sampling: how
    the screen was chosen: "chance" by likelihood, or "random"; "ten" if ten different x were shown,
    "within" if ten of one group. rank, cosine: of x in the grid; no rank if x came from a search.
    """

    number: int
    y: str
    kind: Kind
    x: str | None = None
    shown: tuple[str, ...] = ()
    sampling: str = "chance"
    rank: int | None = None
    cosine: float | None = None


class Journal:
    """The answers that were not undone, on disk; see the module.

    Raises:
      ValueError: another review is open, or the files do not belong together.
    """

    def __init__(self, pairs: str | pathlib.Path):
        self.pairs = pathlib.Path(pairs)
        if not self.pairs.is_file():
            raise ValueError(f"There is no file of pairs {pairs}.")
        folder = self.pairs.parent
        self.log, self.not_pairs = folder / "review.jsonl", folder / "not_pairs.csv"
        self.near_pairs = folder / "near_pairs.csv"
        self.backup = folder / f"{self.pairs.name}.bak"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(folder / f"{self.pairs.name}.lock"))
            except TimeoutError as error:
                raise ValueError(f"Another review of {pairs} is open: close it first.") from error
            self._open()
            self._lock = stack.pop_all()

    def _open(self) -> None:
        lines = _whole_lines(self.log)
        self.answers, self.count = _replayed(lines, self.log)
        before, _ = _replayed(lines[:-1], self.log)
        now = self.pairs.read_bytes()
        if lines and not self.backup.exists():
            raise ValueError(f"{self.backup} is missing: put it back, or move {self.log} away.")
        self._base = self.backup.read_bytes() if lines else now
        # A program that was killed may have written the last answer and not yet the pairs.
        if now not in (self._with(self.answers), self._with(before)):
            raise ValueError(
                f"{self.pairs} was changed since the last review: to go on from it as it is, "
                f"move {self.log} and {self.backup} away."
            )
        if not lines:
            self._write(self.backup, now)
        self._file = self.log.open("ab")
        self._derive()

    def base_lines(self) -> bytes:
        """Return pairs.csv as it was before the first answer."""
        return self._base

    def add(self, answer: Answer) -> None:
        """Log an answer; it is on the disk when this returns.

        Raises:
          OSError: the disk is full or gone; nothing has changed.
        """
        self._append({**answer._asdict(), "time": _now()})
        self.answers[answer.number] = answer
        self.count = max(self.count, answer.number)
        self._derive()

    def undo(self, number: int) -> Answer:
        """Undo an answer, and return it.

        Raises:
          KeyError: there is no such answer in force.
        """
        answer = self.answers[number]
        self._append({"undo": number, "time": _now()})
        del self.answers[number]
        self._derive()
        return answer

    def close(self) -> None:
        """Close the files, so that another review can open them."""
        self._file.close()
        self._lock.close()

    def _append(self, line: dict[str, Any]) -> None:
        end = self._file.tell()
        try:
            self._file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            self._file = self.log.open("ab")
            self._file.truncate(end)
            raise

    def _derive(self) -> None:
        new = self._with(self.answers)
        if self.pairs.read_bytes() != new:
            self._write(self.pairs, new)
        refused = [(x, a.y) for a in self.answers.values() if a.kind == "none" for x in a.shown]
        near = [(a.x, a.y) for a in self.answers.values() if a.kind == "near"]
        for path, rows in ((self.not_pairs, refused), (self.near_pairs, near)):
            if rows:
                write_pairs(path, rows)
            else:
                path.unlink(missing_ok=True)

    def _with(self, answers: dict[int, Answer]) -> bytes:
        confirmed = [(a.x, a.y) for a in answers.values() if a.kind == "match"]
        if not confirmed:
            return self._base
        end = "\r\n" if b"\r\n" in self._base else "\n"
        gap = b"" if self._base.endswith(b"\n") else end.encode()
        delimiter = "\t" if self.pairs.suffix == ".tsv" else ","
        return self._base + gap + csv_bytes(confirmed, delimiter, end)

    @staticmethod
    def _write(path: pathlib.Path, content: bytes) -> None:
        with writing(path, "wb") as file:
            file.write(content)


def write_pairs(path: pathlib.Path, pairs: Iterable[tuple[Any, ...]]) -> None:
    """Write a CSV file of pairs of ids with the columns x and y."""
    write_csv(path, [("x", "y"), *pairs])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _whole_lines(path: pathlib.Path) -> list[bytes]:
    """Return the lines of the log, and cut off a last one that a kill left incomplete."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
            os.fsync(file.fileno())
    return whole.splitlines()


def _parsed(line: bytes | str, where: str) -> Answer | int:
    """Return an answer, or the number of one that is undone.

    Raises:
      ValueError: the line is neither.
    """
    try:
        row = json.loads(line)
        if "undo" in row:
            return int(row["undo"])
        answer = Answer(**{name: row[name] for name in Answer._fields if name in row})
        has_partner = answer.kind in WITH_PARTNER
        if answer.kind not in KINDS or has_partner != isinstance(answer.x, str):
            raise ValueError("an answer of no kind")
        shown = tuple(map(str, answer.shown))
        return answer._replace(number=int(answer.number), y=str(answer.y), shown=shown)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{where} is no answer of a review: take the line out.") from error


def _replayed(lines: list[bytes], path: pathlib.Path) -> tuple[dict[int, Answer], int]:
    answers: dict[int, Answer] = {}
    count = 0
    for place, line in enumerate(lines, 1):
        found = _parsed(line, f"{path}, line {place}")
        if isinstance(found, int):
            answers.pop(found, None)
        else:
            answers[found.number] = found
            count = max(count, found.number)
    return answers, count
