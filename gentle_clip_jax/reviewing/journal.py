"""Files of a review: a log to which answers are appended, and the pairs derived from it.

Beside pairs.csv there is the folder pairs.csv.review: log.jsonl, with a line for each answer or
undo, synced to the disk before the next screen is shown; given.csv, the pairs that were not
confirmed here; and the tables of `derived_tables`. An answer counts once its line is synced.
pairs.csv is always given.csv followed by the confirmed pairs, so that undoing every answer restores
it byte for byte; lines that a person adds to it meanwhile are given.
"""

import contextlib
import pathlib
from typing import Any

import numpy as np

from gentle_clip_jax.data.pairs import SHEET, read_pairs
from gentle_clip_jax.features.origins import review_folder
from gentle_clip_jax.reviewing.log import FORMAT, SOURCES, Answer, Ids, Log, replayed
from gentle_clip_jax.reviewing.tables import derived_tables
from gentle_clip_jax.storage.locks import locked
from gentle_clip_jax.storage.tables import can_grow, csv_bytes, read_table, write_csv
from gentle_clip_jax.storage.writing import writing


class Journal:
    """The answers that were not undone, on disk; see the module.

    given: ids of the pairs that were not confirmed here. behind: why pairs.csv could not be written
    yet, or "".

    Args:
      pairs: a file of pairs; one that is missing or empty gets a heading.
      x_ids, y_ids: ids of the items.

    Raises:
      ValueError: another review is open, or the files do not belong together.
    """

    def __init__(self, pairs: str | pathlib.Path, x_ids: np.ndarray, y_ids: np.ndarray):
        self.pairs, self._ids = pathlib.Path(pairs), (x_ids, y_ids)
        if self.pairs.is_dir():
            raise ValueError(f"{pairs} is a folder: give a file of pairs.")
        self.folder = review_folder(self.pairs)
        self.behind, self.given = "", []
        with contextlib.ExitStack() as stack:
            self._make_folder()
            try:
                stack.enter_context(locked(self.folder / "lock"))
            except TimeoutError as error:
                raise ValueError(f"Another review of {pairs} is open: close it first.") from error
            self.log = Log(self.folder / "log.jsonl")
            stack.callback(self.log.close)
            self._open()
            self._lock = stack.pop_all()

    def _make_folder(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if not self.pairs.exists() or not self.pairs.stat().st_size:
            _write(self.pairs, ",".join(SHEET).encode() + b"\n")
        others_read = self.pairs.stat().st_mode & 0o044
        for path in (self.folder, self.folder / "lock", self.folder / "log.jsonl"):
            if path.is_symlink():  # it may lead to the files of others
                raise ValueError(
                    f"{path} is a link to {path.readlink()}: move it away, or put there what it "
                    "leads to."
                )
        self.folder.mkdir(mode=0o777 if others_read else 0o700, exist_ok=True)

    def _open(self) -> None:
        lines, given = self.log.lines, self.folder / "given.csv"
        self.answers, self.count = replayed(lines, self.log.path)
        now = self._now()
        if lines and not given.exists():
            raise ValueError(f"{given} is missing: put it back, or move {self.folder} away.")
        self._base = given.read_bytes() if lines else now
        self._seen, self._ours = now, self._confirmed()
        if now != self._with(self._ours):
            # A program that was killed may have logged answers without writing the pairs.
            earlier = (replayed(lines[:end], self.log.path)[0] for end in range(len(lines)))
            confirmed = (_matches(answers) for answers in earlier)
            ours = next((one for one in confirmed if self._with(one) == now), None)
            self._ours = self._confirmed() if ours is None else ours
            self._seen = b"" if ours is None else now
        self.given = self._read_given()
        if not lines:
            _write(given, now)
        self._take_in_edits()
        self._derive()

    def add(self, answer: Answer) -> None:
        """Log an answer; it is on the disk when this returns, and counts.

        Raises:
          OSError: it could not be logged; nothing has changed.
          ValueError: pairs.csv was edited so that they do not fit; nothing has changed.
        """
        self._take_in_edits()
        if answer.kind == "match":
            for column, id_ in enumerate((answer.x, answer.y)):
                if any(pair[column] == id_ for pair in self.given):
                    raise ValueError(
                        f"{self.pairs} was edited, and {id_!r} has a partner there: go on with "
                        "another item."
                    )
        if not self.log.lines:
            self._log({"format": FORMAT, "given": self.given})
        source = {"source": SOURCES[answer.sampling]} if answer.kind == "match" else {}
        self._log({**answer._asdict(), **source})
        self.answers[answer.number] = answer
        self.count = max(self.count, answer.number)
        self._derive()

    def latest(self) -> list[Answer]:
        """Return the answers that were not undone, the latest first."""
        return sorted(self.answers.values(), key=lambda answer: -answer.number)

    def undo(self, number: int | None = None) -> Answer:
        """Undo the answer of that number, or the last, and return it.

        Raises:
          ValueError: there is no such answer in force; or as of `add`.
          OSError: as of `add`.
        """
        number = max(self.answers, default=0) if number is None else number
        if number not in self.answers:
            raise ValueError("There is no such answer to undo.")
        answer = self.answers[number]
        self._take_in_edits(undone=answer)
        self._log({"undo": number})
        del self.answers[number]
        self._derive()
        return answer

    def close(self) -> None:
        """Write what is still to be written, so that another review can open the files."""
        if self.behind:
            self._derive()
        self._lock.close()

    def _log(self, line: dict[str, Any]) -> None:
        self.log.append(line)
        self.log.lines.append(b"")

    def _take_in_edits(self, undone: Answer | None = None) -> None:
        """Take pairs that a person has changed in pairs.csv meanwhile for given ones."""
        now = self._now()
        if now == self._seen:
            return
        if now and not can_grow(self.pairs):
            raise ValueError(
                f"{self.pairs} was edited, and is no table with commas in UTF-8 any more: save it "
                "as one, or put it back."
            )
        ours = [pair for pair in self._ours if undone is None or pair != (undone.x, undone.y)]
        rows = {tuple(cells[:2]) for _, cells in _rows(self.pairs)} if now else set()
        if lacking := [pair for pair in ours if pair not in rows]:
            raise ValueError(
                f"{self.pairs} was edited and lacks the pair {','.join(lacking[0])} that you "
                f"confirmed: put it back, or move {self.folder} away to go on from the file as it "
                "is."
            )
        base, given = self._without(now, self._ours), self._read_given()
        for x, y in self._confirmed():
            if any((a == x) != (b == y) for a, b in given):
                raise ValueError(
                    f"{self.pairs} was edited, and gives {x!r} or {y!r} another partner than you "
                    "did here: take that line out."
                )
        _write(self.folder / "given.csv", base)
        self._log({"given": given})
        self._base, self.given, self._seen = base, given, now

    def _read_given(self) -> Ids:
        """Return the pairs of pairs.csv that were not confirmed here; [] of a heading alone."""
        rows = [cells for _, cells in _rows(self.pairs)]
        is_sheet = bool(rows) and rows[0][:2] == SHEET
        with_partner = [row for row in rows[is_sheet:] if not is_sheet or any(row[1:2])]
        known = [{*map(str, ids.tolist())} for ids in self._ids]
        is_heading = len(rows) == 1 and not any(cell in ids for cell in rows[0] for ids in known)
        if not with_partner or is_heading:
            return []
        pairs = map(tuple, read_pairs(self.pairs, *self._ids, several=True).tolist())
        ours = {*self._ours}
        return [(x, y) for x, y in pairs if (x, y) not in ours]

    def _derive(self) -> None:
        """Write the pairs and the derived tables; where that fails, the next answer tries again."""
        confirmed = self._confirmed()
        new = self._with(confirmed)
        try:
            if self._seen != new:
                _write(self.pairs, new)
            self._seen, self._ours = new, confirmed
            for name, rows in derived_tables(self.answers.values()).items():
                if len(rows) > 1:
                    write_csv(self.folder / name, rows)
                else:
                    (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            self.behind = (
                f"Your answers are kept in {self.log.path}, but {error.filename or self.pairs} "
                f"could not be written: {error.strerror}. The next answer tries again."
            )
        else:
            self.behind = ""

    def _confirmed(self) -> Ids:
        return _matches(self.answers)

    def _now(self) -> bytes:
        return self.pairs.read_bytes() if self.pairs.exists() else b""

    def _with(self, confirmed: Ids) -> bytes:
        if not confirmed:
            return self._base
        end = "\r\n" if b"\r\n" in self._base else "\n"
        gap = b"" if not self._base or self._base.endswith(b"\n") else end.encode()
        delimiter = "\t" if self.pairs.suffix == ".tsv" else ","
        return self._base + gap + csv_bytes(confirmed, delimiter, end)

    def _without(self, content: bytes, ours: Ids) -> bytes:
        """Return a file's content without the lines of these pairs."""
        left_out = (
            {number for number, cells in _rows(self.pairs) if tuple(cells[:2]) in {*ours}}
            if content
            else set()
        )
        lines = content.splitlines(keepends=True)
        return b"".join(line for n, line in enumerate(lines, 1) if n not in left_out)


def _rows(path: pathlib.Path) -> list[tuple[int, list[str]]]:
    """Return the line number and the cells of each row of a table."""
    return [(line, [str(cell).strip() for cell in cells]) for line, cells in read_table(path).rows]


def _matches(answers: dict[int, Answer]) -> Ids:
    return [(str(a.x), str(a.y)) for a in answers.values() if a.kind == "match"]


def _write(path: pathlib.Path, content: bytes) -> None:
    with writing(path, "wb") as file:
        file.write(content)
