"""Texts from a folder or a file, and prompts for the names of classes."""

import csv
import io
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from gentle_clip_jax.data import metadata, tfds_source
from gentle_clip_jax.storage import reading

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


def list_texts(data: pathlib.Path, split: str | None = None) -> list[Text]:
    """Return the texts of `data`, of all splits or of one.

    In a folder: the `captions` of its metadata.jsonl, or of a data set that TensorFlow Datasets
    prepared there; else its .txt files, one text each, whose id is the path without .txt and whose
    `split` and `label` may be in metadata.jsonl. In a .jsonl, .csv or .tsv file: the column `text`
    (or `caption`, `captions`), and `id`, `split`, `label` if present. In a .txt file: a text per
    line. Texts without an id are numbered "0", "1", ...

    Raises:
      ValueError: there are no texts, or none of that split.
    """
    if tfds_source.is_prepared(data):
        texts = list(_in_tfds(data, split))
    else:
        texts = list(_in_folder(data) if data.is_dir() else _in_file(data))
    if not texts:
        raise ValueError(
            f"{data} has no texts: give a folder with {metadata.NAME} or with .txt files, or a "
            ".txt, .csv, .tsv or .jsonl file."
        )
    return in_split(texts, split, data)


def list_classes(data: pathlib.Path, prompt: str, split: str | None = None) -> list[Text]:
    """Return one text for each label of `data`: `prompt` with the label in place of {label}.

    Labels come in alphabetical order from its metadata.jsonl, or from the column `label` of a data
    set that TensorFlow Datasets prepared there. The label is also the id of its text.

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
        rows = metadata.read_lines(path)
        labels = {row["label"] for row in rows if split in (None, row["split"])}
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


def _in_folder(folder: pathlib.Path) -> Iterator[Text]:
    listing = folder / metadata.NAME
    rows = metadata.read_lines(listing) if listing.is_file() else []
    if any(name in row for row in rows for name in _COLUMNS):
        yield from _of_rows(listing, rows)
        return
    row_by_id = metadata.by_id(rows)
    for file in metadata.files_below(folder):
        if file.endswith(".txt") and (folder / file).is_file():
            name = metadata.printable(file.removesuffix(".txt"))
            row = row_by_id.get(metadata.name_key(name), {})
            flaw = None if metadata.is_utf8(file) else "has a name that is not UTF-8"
            text = "" if flaw else " ".join(_read(folder / file).split())
            yield Text(name, row.get("split"), row.get("label"), text, flaw)


def _in_tfds(folder: pathlib.Path, only: str | None) -> Iterator[Text]:
    for split in [only] if only else tfds_source.splits(folder):
        source = tfds_source.open_source(folder, split, ["id", "label", "captions"])
        for number, row in enumerate(source):
            name, values = str(row.get("id", f"{split}-{number}")), row.get("captions")
            values = values["text"] if isinstance(values, dict) else values  # as in COCO
            for text in captions(f"{folder}, {name}", values):
                yield Text(name, split, row.get("label"), text)


def _in_file(path: pathlib.Path) -> Iterator[Text]:
    if not path.is_file():
        raise ValueError(f"There is no file or folder {path}.")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        # Not str.splitlines, which also splits at characters that may be inside a text.
        for number, line in enumerate(io.StringIO(_read(path))):
            yield Text(str(number), None, None, line.strip())
    elif suffix == ".jsonl":
        yield from _of_rows(path, metadata.read_lines(path))
    elif suffix in (".csv", ".tsv"):
        lines = io.StringIO(_read(path), newline="")
        reader = csv.DictReader(lines, delimiter="\t" if suffix == ".tsv" else ",")
        try:
            rows = list(reader)
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {reader.line_num} is not valid CSV ({error}): save it as CSV."
            ) from error
        yield from _of_rows(path, rows)


def _of_rows(path: pathlib.Path, rows: list[dict[str, Any]]) -> Iterator[Text]:
    """Yield the texts of each row."""
    name = next((n for n in _COLUMNS if any(n in row for row in rows)), None)
    if name is None:
        raise ValueError(f"{path} has no texts: add a column {' or '.join(_COLUMNS)}.")
    has_ids = any(row.get("id") not in (None, "") for row in rows)
    for number, row in enumerate(rows):
        keys = ("id", "split", "label")
        item, split, label = (metadata.text(row.get(k), f"{path}, row {number}") for k in keys)
        if item is None and has_ids:
            raise ValueError(f"{path}, row {number} (counted from 0) has no id: give it one.")
        item = item or str(number)
        texts = captions(f"{path}, {item}", row.get(name))
        for text in texts:
            yield Text(item, split, label, text)
        if not texts and path.suffix.lower() in (".csv", ".tsv"):
            yield Text(item, split, label, "", "has no text")


def captions(where: str, value: Any) -> list[str]:
    """Return the texts of a row, whose value is one text, a list of texts or empty.

    Raises:
      ValueError: the value is something else; the message begins with `where`.
    """
    values = [] if value in (None, "") else value if isinstance(value, list) else [value]
    if any(isinstance(one, (dict, list)) for one in values):
        raise ValueError(f"{where}: captions must be one text or a list of texts.")
    return [metadata.writable(str(one)).strip() for one in values if one is not None]


def _read(path: pathlib.Path) -> str:
    try:
        text = reading.read_bytes(path).decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error}): save it as UTF-8.") from error
    except ValueError as error:
        raise ValueError(f"{path} {error}: remove it.") from error
