"""Matches in a folder: tables for people, candidates for programs, and their evidence."""

import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.matching.accepted import HEADING, Accepted
from gentle_clip_jax.matching.matches import Candidates, Matches
from gentle_clip_jax.storage import owned
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.tables import write_csv, write_workbook
from gentle_clip_jax.storage.writing import write_text, writing

TABLES = ("matches.csv", "groups.csv", "candidates.parquet")
_RECORD, _PAGE, _ACCEPTED, KIND = "matches.json", "matches.html", "accepted.csv", "matches"
_WORKBOOK = "matches.xlsx"
_HEADING = ("x", "y", "probability", "cosine", "runner_up", "runner_up_probability", "mutual")
_OF_GROUPS = ("group", "group_probability", "group_set")
_SETS, _OF_SETS = "sets.csv", ("no_partner", "set_size")


class Shown(NamedTuple):
    """The file name and text of each item of x [n] and of y [m], "" for one without."""

    x_file: Sequence[str]
    x_text: Sequence[str]
    y_file: Sequence[str]
    y_text: Sequence[str]


def write(
    matches: Matches,
    folder: str | pathlib.Path,
    x_ids: Sequence[str] | np.ndarray,
    y_ids: Sequence[str] | np.ndarray,
    *,
    y_texts: Sequence[str] | np.ndarray | None = None,
    page: str = "",
    accepted: Accepted | None = None,
    shown: Shown | None = None,
    xlsx: bool = False,
    built_from: Mapping[str, Any] | None = None,
) -> None:
    """Write the tables of matches, matches.html and, last, matches.json.

    matches.json has the SHA-256 of the tables; it is there only if all are.

    Args:
      x_ids: [n] of all items of x, those of pairs too; y_ids: [m] likewise.
      y_texts: [m] texts that name groups, "" for an item without; a group is named by its most
        central item, else by that item's id.
      page: of `matches_page`; accepted: of `accepted_pairs`; without one there is no such file.
      shown: file names and texts beside the ids; xlsx: whether to write matches.xlsx too.
      built_from: digests of the aligner and of what it matched, for `features.pairs.warn_stale`.

    Raises:
      OSError: the folder cannot be written.
      ValueError: there are not as many ids as items, or the folder holds something else.
      ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow  # noqa: F401  # before anything is written

    x_ids, y_ids = (np.asarray(ids).astype(str) for ids in (x_ids, y_ids))
    _check_ids(matches, x_ids, y_ids)
    labels = _labels(matches, y_ids, y_texts)
    folder = pathlib.Path(folder)
    stale = (_RECORD, _PAGE, _ACCEPTED, _WORKBOOK, _SETS)
    with owned.writing(folder, _RECORD, KIND, remove=stale) as finish:
        rows = [(*_HEADING, *_OF_GROUPS, *_OF_SETS), *_rows(matches, x_ids, y_ids, labels)]
        rows = _with_shown(rows, matches.x, matches.y, shown)
        sizes = np.bincount(matches.groups.of_item, minlength=len(labels))
        write_csv(folder / "matches.csv", rows)
        if xlsx:
            write_workbook(folder / _WORKBOOK, rows)
        groups = [("number", "group", "items"), *zip(range(len(labels)), labels, sizes)]
        write_csv(folder / "groups.csv", groups)
        _write_candidates(folder / "candidates.parquet", matches, x_ids, y_ids)
        sets = _write_sets(folder, matches, x_ids, y_ids)
        if page:
            write_text(folder / _PAGE, page)
        record = {"built_from": dict(built_from or {}), **matches.metadata}
        if accepted is not None:
            of_x, of_y = _numbers(accepted, x_ids, y_ids)
            table = _with_shown([HEADING, *accepted.rows], of_x, of_y, shown)
            write_csv(folder / _ACCEPTED, table)
            record["accepted"] = {"pairs": len(accepted.rows), "methods": accepted.methods}
        written = [*TABLES, *sets, *([_ACCEPTED] if accepted else [])]
        digests = {name: sha256(folder / name) for name in written}
        finish({**record, "sha256": digests})


def rows_of(
    matches: Matches,
    x_ids: np.ndarray,
    y_ids: np.ndarray,
    *,
    y_texts: Sequence[str] | np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of matches.csv as dicts: ids, probabilities and cosines (None for none),
    groups."""
    labels = _labels(matches, y_ids, y_texts)
    names: list[str] = [*_HEADING, *_OF_GROUPS, *_OF_SETS]
    rows = (dict(zip(names, row)) for row in _rows(matches, x_ids, y_ids, labels))
    numbers = [name for name in names if name.endswith(("probability", "cosine", "no_partner"))]
    return [
        {
            **{name: str(value) for name, value in row.items()},
            **{name: float(row[name]) if row[name] else None for name in numbers},
            "mutual": row["mutual"] == "yes",
        }
        for row in rows
    ]


def _check_ids(matches: Matches, x_ids: np.ndarray, y_ids: np.ndarray) -> None:
    most_x = max(matches.x.max(), matches.of_y.candidate.max())
    if len(x_ids) <= most_x or len(y_ids) != len(matches.groups.of_item):
        raise ValueError(
            f"There are {len(x_ids)} ids of x and {len(y_ids)} of y: give as many as there are "
            "items, those in pairs too."
        )


def _labels(
    matches: Matches, y_ids: np.ndarray, y_texts: Sequence[str] | np.ndarray | None
) -> list[str]:
    """Return a name for each group; equal names get their numbers."""
    texts = [""] * len(y_ids) if y_texts is None else y_texts
    labels = [" ".join(str(texts[item]).split()) or y_ids[item] for item in matches.groups.central]
    return [
        f"{label} ({number})" if labels.count(label) > 1 else str(label)
        for number, label in enumerate(labels)
    ]


def _rows(
    matches: Matches, x_ids: np.ndarray, y_ids: np.ndarray, labels: list[str]
) -> Iterable[tuple[Any, ...]]:
    cosine = matches.cosine
    for i, item in enumerate(matches.x):
        yield (
            x_ids[item],
            _id(y_ids, matches.y[i]),
            _cell(matches.probability[i]),
            _cell(cosine[i]),
            _id(y_ids, matches.runner_up[i]),
            _cell(matches.runner_up_probability[i]),
            "yes" if matches.mutual[i] else "no",
            labels[matches.group[i]],
            _cell(matches.group_probability[i]),
            " ".join(map(str, np.flatnonzero(matches.group_sets[i]))),
            _cell(matches.no_partner[i]),
            "" if matches.sets is None else int(matches.sets.size[i]),
        )


def _write_sets(
    folder: pathlib.Path, matches: Matches, x_ids: np.ndarray, y_ids: np.ndarray
) -> list[str]:
    """Write the members of short sets, "" for no partner; return the name of the table, if any."""
    sets, near = matches.sets, matches.of_x
    if sets is None:
        return []
    lines: list[tuple[Any, ...]] = [("x", "y", "probability")]
    for i in np.flatnonzero(sets.is_short).tolist():
        known = dict(zip(near.candidate[i].tolist(), near.probability[i].tolist()))
        for item in sets.best[i][sets.best[i] >= 0].tolist():
            lines.append((x_ids[matches.x[i]], y_ids[item], _cell(known.get(item, math.nan))))
        if sets.none[i]:
            lines.append((x_ids[matches.x[i]], "", _cell(matches.no_partner[i])))
    write_csv(folder / _SETS, lines)
    return [_SETS]


def _id(ids: np.ndarray, item: int) -> str:
    return ids[item] if item >= 0 else ""


def _cell(number: float) -> str:
    """Format four digits; empty where there is none."""
    return "" if math.isnan(number) else f"{number:.4g}"


def _numbers(accepted: Accepted, *sides: np.ndarray) -> list[list[int]]:
    """Return the numbers of the items of x and of y in the rows."""
    found = []
    for column, ids in enumerate(sides):
        numbers = {id_: number for number, id_ in enumerate(ids)}
        found.append([numbers[row[column]] for row in accepted.rows])
    return found


def _with_shown(
    rows: Sequence[tuple[Any, ...]],
    x: Sequence[int] | np.ndarray,
    y: Sequence[int] | np.ndarray,
    shown: Shown | None,
) -> list[tuple[Any, ...]]:
    """Insert the columns of `shown` that are not empty after those of the ids.

    x, y: the item of each row after the heading, -1 for none.
    """
    numbers = (x, x, y, y)
    columns = [
        [name, *(values[i] if i >= 0 else "" for i in of)]
        for name, values, of in zip(Shown._fields, shown or (), numbers)
        if any(values)
    ]
    return [(*row[:2], *more, *row[2:]) for row, *more in zip(rows, *columns)]


def _write_candidates(
    path: pathlib.Path, matches: Matches, x_ids: np.ndarray, y_ids: np.ndarray
) -> None:
    import pyarrow
    from pyarrow import parquet

    of_x = _columns("x", matches.of_x, x_ids, y_ids)
    tables = [of_x, _columns("y", matches.of_y, y_ids, x_ids)]
    with writing(path, "wb") as file:
        parquet.write_table(pyarrow.concat_tables(map(pyarrow.table, tables)), file)


def _columns(side: str, of: Candidates, ids: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    n, count = of.candidate.shape
    probability = of.probability.ravel()
    return {
        "side": [side] * (n * count),
        "id": np.repeat(ids[of.item], count).tolist(),
        "rank": np.tile(np.arange(1, count + 1, dtype=np.int32), n),
        "candidate": others[of.candidate.ravel()].tolist(),
        "cosine": of.cosine.ravel().astype(np.float32),
        "probability": _nullable(probability),
    }


def _nullable(values: np.ndarray) -> Any:
    """Return numbers with NaN as missing values."""
    import pyarrow

    return pyarrow.array(values, pyarrow.float64(), mask=np.isnan(values))
