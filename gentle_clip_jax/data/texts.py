"""Texts from a folder or a file, and prompts for the names of classes."""

import io
import logging
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gentle_clip_jax.data import metadata, tfds_source
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.missing import MissingPath
from gentle_clip_jax.storage.tables import SUFFIXES, read_table

_log = logging.getLogger(__name__)

_COLUMNS = ("captions", "text", "caption")


class Text(NamedTuple):
    """A text with the id, split and label of its item, None where missing.

    An item may have several texts. flaw: the reason why this one cannot be used, if any.
    """

    id: str
    split: str | None
    label: str | None
    text: str
    flaw: str | None = None


class Columns(NamedTuple):
    """Names of the columns of texts and of ids, None for those that are looked for."""

    text: str | None = None
    id: str | None = None


_USUAL = Columns()


def list_texts(
    data: pathlib.Path, split: str | None = None, columns: Columns = _USUAL
) -> list[Text]:
    """Return the texts of `data`, of all splits or of one.

    In a folder: the `captions` of its metadata.jsonl, or of a data set that TensorFlow Datasets
    prepared there; else its .txt files, one text each, whose id is the path without .txt and whose
    `split` and `label` may be in metadata.jsonl; else its only table. In a table (.csv, .tsv,
    .xlsx, .jsonl, see `storage.tables`): the column `text` (or `caption`, `captions`), and `id`,
    `split`, `label` if present. In a .txt file: a text per line. Texts without an id are numbered
    "0", "1", ...

    Raises:
      ValueError: there are no texts, or none of that split, or a column is missing.
    """
    if tfds_source.is_prepared(data):
        texts = list(_in_tfds(data, split))
    else:
        texts = list((_in_folder if data.is_dir() else _in_file)(data, columns))
    if not texts:
        raise ValueError(
            f"{data} has no texts: give a folder with {metadata.NAME}, with .txt files or with one "
            f"table, or a file that ends in .txt, {', '.join(SUFFIXES)}."
        )
    return in_split(texts, split, data)


def list_classes(data: pathlib.Path, prompt: str, split: str | None = None) -> list[Text]:
    """Return one text for each label of `data`: `prompt` with the label in place of {label}.

    Labels come in alphabetical order from its metadata.jsonl, from a table, or from a data set that
    TensorFlow Datasets prepared there: the column `label`. The label is also the id of its text.

    Raises:
      ValueError: the prompt has no {label}, or there are no labels.
    """
    if "{label}" not in prompt:
        raise ValueError(
            f"The prompt {prompt!r} has no place for the class: write {{label}} there."
        )
    if tfds_source.is_prepared(data):
        splits = [split] if split else tfds_source.splits(data)
        labels = {
            row.get("label")
            for one in splits
            for row in tfds_source.open_source(data, one, ["label"])
        }
    else:
        path = data / metadata.NAME if data.is_dir() else data
        if not path.is_file():
            raise ValueError(f"{data} has no labels for the prompt: add a {metadata.NAME}.")
        rows = [*_rows(path, ("split", "label"))]
        labels = {row.get("label") for _, row in rows if split in (None, row.get("split"))}
    names = sorted(label for label in labels if label is not None)
    if not names:
        raise ValueError(f"{data} has no labels for the prompt: add a label to each item.")
    return [Text(x, None, x, prompt.replace("{label}", x)) for x in names]


def in_split(items: list, split: str | None, data: pathlib.Path) -> list:
    """Return the items of a split, or all items if `split` is None.

    Raises:
      ValueError: there are no such items; the message names the existing splits.
    """
    selected = [item for item in items if split in (None, item.split)]
    if not selected:
        splits = sorted({str(item.split) for item in items})
        raise ValueError(f"{data} has no items of the split {split}, only of {', '.join(splits)}.")
    return selected


def _in_folder(folder: pathlib.Path, columns: Columns) -> Iterator[Text]:
    listing = folder / metadata.NAME
    rows = metadata.read_lines(listing) if listing.is_file() else []
    if any(name in row for row in rows for name in (columns.text, *_COLUMNS)):
        yield from _of_table(listing, columns)
        return
    row_by_id, files = metadata.by_id(rows), [*metadata.files_below(folder)]
    names = [file for file in files if file.endswith(".txt") and (folder / file).is_file()]
    for file in names:
        name = metadata.printable(file.removesuffix(".txt"))
        row = row_by_id.get(metadata.name_key(name), {})
        flaw = None if metadata.is_utf8(file) else "has a name that is not UTF-8"
        text = "" if flaw else " ".join(reading.read_text(folder / file).split())
        yield Text(name, row.get("split"), row.get("label"), text, flaw)
    tables = [one for one in files if one.lower().endswith(SUFFIXES) and one != metadata.NAME]
    if not names and len(tables) > 1:
        raise ValueError(
            f"{folder} has {len(tables)} tables ({', '.join(tables[:5])}): give the path of one."
        )
    if not names and tables:
        yield from _of_table(folder / tables[0], columns)


def _in_tfds(folder: pathlib.Path, only: str | None) -> Iterator[Text]:
    for split in [only] if only else tfds_source.splits(folder):
        source = tfds_source.open_source(folder, split, ["id", "label", "captions"])
        for number, row in enumerate(source):
            name, values = str(row.get("id", f"{split}-{number}")), row.get("captions")
            values = values["text"] if isinstance(values, dict) else values  # as in COCO
            for text in captions(f"{folder}, {name}", values):
                yield Text(name, split, row.get("label"), text)


def _in_file(path: pathlib.Path, columns: Columns) -> Iterator[Text]:
    if not path.is_file():
        raise MissingPath(path)
    suffix = path.suffix.lower()
    if suffix == ".txt":
        # Not str.splitlines, which also splits at characters that may be inside a text.
        for number, line in enumerate(io.StringIO(reading.read_text(path), newline=None)):
            yield Text(str(number), None, None, line.strip())
    elif suffix in SUFFIXES:
        yield from _of_table(path, columns)


def _of_table(path: pathlib.Path, columns: Columns) -> Iterator[Text]:
    """Yield the texts of each row."""
    rows = [*_rows(path, (columns.id or "id", "split", "label"))]
    names = [*dict.fromkeys(name for _, row in rows for name in row)]
    name = _column(path, names, columns.text, _COLUMNS, "text")
    id_ = _column(path, names, columns.id, ("id",), "id") or "id"
    if name is None:
        raise ValueError(
            f"{path} has no texts: add a column {' or '.join(_COLUMNS)}, or name one of its "
            f"columns by --text-column=NAME ({', '.join(names) or 'it has none'})."
        )
    has_ids = any(row.get(id_) is not None for _, row in rows)
    if not has_ids and {*names} - {name, "split", "label", "id"}:
        _log.info(
            f"{path} has no column id, so its rows are numbered from 0: --id-column=NAME names the "
            f"column of ids ({', '.join(names)})."
        )
    for number, (line, row) in enumerate(rows):
        if row.get(id_) is None and has_ids:
            raise ValueError(f"{path}, line {line} has no id: give it one.")
        item = row.get(id_) or str(number)
        split, label = row.get("split"), row.get("label")
        texts = captions(f"{path}, line {line}", row.get(name))
        for text in texts:
            yield Text(item, split, label, text)
        if not texts and path.suffix.lower() != ".jsonl":
            yield Text(item, split, label, "", "has no text")


def _rows(path: pathlib.Path, names: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line and the cells of each row; the columns `names` become text, None if blank."""
    for line, row in read_table(path).records():
        lower = {name.lower(): name for name in row}
        for name in names:
            if (own := name if name in row else lower.get(name.lower())) is not None:
                row[name] = metadata.text(row.pop(own), f"{path}, line {line}")
        yield line, row


def _column(
    path: pathlib.Path, names: list[str], wanted: str | None, usual: Iterable[str], kind: str
) -> str | None:
    """Return the name of the column that is wanted, or else the first usual one, None if none."""
    if wanted is not None and wanted not in names:
        raise ValueError(
            f"{path} has no column {wanted!r}, which --{kind}-column names: its columns are "
            f"{', '.join(names) or 'none'}."
        )
    lower = {name.lower(): name for name in names}
    return wanted or next((lower[name] for name in usual if name in lower), None)


def captions(where: str, value: Any) -> list[str]:
    """Return the texts of a row, whose value is one text, a list of texts or empty.

    Raises:
      ValueError: the value is something else; the message begins with `where`.
    """
    values = [] if value in (None, "") else value if isinstance(value, list) else [value]
    if any(isinstance(one, (dict, list)) for one in values):
        raise ValueError(f"{where}: captions must be one text or a list of texts.")
    return [metadata.writable(str(one)).strip() for one in values if one is not None]
