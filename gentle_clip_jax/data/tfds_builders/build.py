"""Writes a data set as TensorFlow Datasets' array_record, item by item, without TensorFlow."""

import contextlib
import functools
import io
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

VERSION = "1.0.0"
_SHARD = 1024  # items: TFDS holds a shard in memory


class Item(NamedTuple):
    """An item's id, and what reads its columns; what is damaged is a ValueError."""

    id: str
    read: Callable[[], dict[str, Any]]


class Contents(NamedTuple):
    """What a data set holds.

    columns: the kind of each column: "text", "texts", "image" (bytes of a file), "integer",
      "number", "truth", "backbone" (float [length, 3, 3]), or a list of class names.
    splits: the items of each split.
    skipped: (id, reason) of items that cannot be in it.
    beside: texts to put beside the records, by the name of their file.
    """

    columns: dict[str, str | list[str]]
    splits: dict[str, list[Item]]
    skipped: Sequence[tuple[str, str]] = ()
    beside: dict[str, str] = {}  # noqa: RUF012 (a NamedTuple's default; nobody writes to it)


def build(
    name: str,
    contents: Contents,
    folder: pathlib.Path,
    *,
    about: str,
    max_skipped: int,
    advance: Callable[[], None],
) -> list[tuple[str, str]]:
    """Writes folder/NAME/1.0.0 and returns (id, reason) of each item that was skipped.

    Args:
      name: letters, digits and _.
      contents: the items.
      folder: where the data set's own folder is made.
      about: the description.
      max_skipped: so many items may be damaged.
      advance: called after every item.

    Raises:
      ValueError: more items are damaged, all of a split are, or a split's name cannot be used.
    """
    for split in contents.splits:
        if not re.fullmatch(r"\w+", split, re.ASCII) or split.lower() == "all":
            raise ValueError(
                f"A split cannot be called {split!r}: use letters, digits and _, and not 'all'."
            )
    skipped = [*contents.skipped]
    _check_skipped(skipped, max_skipped)

    def examples(items: list[Item]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, item in enumerate(items):
            try:
                row = item.read()
            except ValueError as error:
                skipped.append((item.id, str(error)))
                _check_skipped(skipped, max_skipped)
            else:
                yield number, {"id": item.id, **row}
            advance()

    shards = {
        split: [functools.partial(examples, part) for part in _parts(items)]
        for split, items in contents.splits.items()
    }
    # TFDS says much on the way, of downloads that there are not.
    with contextlib.redirect_stdout(io.StringIO()):
        info = _write(name, contents.columns, shards, folder, about)
    if empty := [split for split in contents.splits if not info.splits[split].num_examples]:
        raise ValueError(f"Every item of the split {empty[0]} is damaged: {skipped[0][1]}.")
    for file, text in contents.beside.items():
        (folder / name / VERSION / file).write_text(text, encoding="utf-8")
    return skipped


def _check_skipped(skipped: list[tuple[str, str]], most: int) -> None:
    if len(skipped) > most:
        first = "; ".join(f"{name} {reason}" for name, reason in skipped[:3])
        raise ValueError(
            f"More than {most} items cannot be used, the first: {first}. Mend them, or allow more "
            "with --max-skipped."
        )


def _parts(items: list[Item]) -> list[list[Item]]:
    return [items[start : start + _SHARD] for start in range(0, len(items), _SHARD)]


def _write(
    name: str,
    columns: dict[str, str | list[str]],
    shards: dict[str, list[Callable[[], Iterator]]],
    folder: pathlib.Path,
    about: str,
) -> Any:
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

    kinds = {
        "text": tfds.features.Text(),
        "texts": tfds.features.Sequence(tfds.features.Text()),
        "image": tfds.features.Image(),
        "integer": np.int64,
        "number": np.float32,
        "truth": np.bool_,
        "backbone": tfds.features.Tensor(shape=(None, 3, 3), dtype=np.float32),
    }
    features = {
        column: kinds[kind] if isinstance(kind, str) else tfds.features.ClassLabel(names=kind)
        for column, kind in columns.items()
    }

    # Shards of their own: the generator of TFDS that shuffles needs TensorFlow for more than 1 GB.
    class Builder(tfds.core.ShardBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(VERSION)
        code_path = None  # else TFDS looks for checksums of downloads beside this file

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self, description=about, features=tfds.features.FeaturesDict(features)
            )

        def _shard_iterators_per_split(self, dl_manager: Any) -> Any:
            return shards

    Builder.name = name
    builder = Builder(data_dir=folder)
    builder.download_and_prepare(file_format="array_record")
    return builder.info
