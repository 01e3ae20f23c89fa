"""Reader of images with captions or labels."""

import collections
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from gentle_clip_jax.data import metadata, texts
from gentle_clip_jax.data.images import Image, list_images
from gentle_clip_jax.data.pixels import decode
from gentle_clip_jax.data.tfds_builders.build import Contents, Item


def read_described(folder: pathlib.Path) -> Contents:
    """Read images in zip files or folders, and metadata.jsonl: id, split, label, captions of each.

    Raises:
      ValueError: a file is missing or damaged, or metadata.jsonl has an id twice.
    """
    rows = _rows(folder / metadata.NAME)
    names = [row["id"] for row in rows]
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"{folder / metadata.NAME} has the id {twice[0]} more than once: keep one line with it."
        )
    listed = list_images(folder)
    present = {metadata.name_key(image.id) for image in listed}
    missing = [name for name in names if metadata.name_key(name) not in present]
    captions = {
        metadata.name_key(row["id"]): texts.captions(f"{folder}, {row['id']}", row.get("captions"))
        for row in rows
    }
    of_image = [captions.get(metadata.name_key(image.id), []) for image in listed]
    return _contents(listed, of_image)._replace(skipped=[(n, "has no image") for n in missing])


def _rows(path: pathlib.Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ValueError(f"{path.parent} has no file {path.name}: add it.")
    rows = metadata.read_lines(path)
    if without := [number for number, row in enumerate(rows, start=1) if row["id"] is None]:
        raise ValueError(f"{path}: object number {without[0]} has no id: add one.")
    return rows


def _contents(listed: Sequence[Image], captions: Sequence[list[str]]) -> Contents:
    labels = sorted({" ".join(image.label.split()) for image in listed if image.label})
    columns: dict[str, str | list[str]] = {"id": "text", "image": "image"}
    if labels:
        columns["label"] = labels
    if any(captions):
        columns["captions"] = "texts"
    splits: dict[str, list[Item]] = {}
    for image, own in zip(listed, captions, strict=True):
        own_columns: dict[str, Any] = {}
        if labels:
            own_columns["label"] = " ".join(image.label.split()) if image.label else -1
        if any(captions):
            own_columns["captions"] = [text for text in own if text]
        item = Item(image.id, functools.partial(_read, image, own_columns))
        splits.setdefault(image.split or "train", []).append(item)
    return Contents(columns, splits)


def _read(image: Image, columns: dict[str, Any]) -> dict[str, Any]:
    content = image.read()
    decode(content, 32)  # so that a damaged image fails now, not during training
    return {"image": content, **columns}
