"""Writer of data sets by TensorFlow Datasets, as array_record, without TensorFlow."""

import contextlib
import io
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

VERSION = "1.0.0"


class Item(NamedTuple):
    """The id of an item and the reader of its columns, which raises ValueError if it is damaged."""

    id: str
    read: Callable[[], dict[str, Any]]


class Contents(NamedTuple):
    """The contents of a data set.

    columns: the kind of each column: "text", "texts", "image" (bytes of a file), "integer",
      "number", "truth", "backbone" (float [length, 3, 3]), or a list of class names.
    splits: the items of each split.
    skipped: (id, reason) of items that cannot be used.
    """

    columns: dict[str, str | list[str]]
    splits: dict[str, list[Item]]
    skipped: Sequence[tuple[str, str]] = ()


def build(
    name: str,
    contents: Contents,
    folder: pathlib.Path,
    *,
    description: str,
    max_skipped: int,
    advance: Callable[[int], None],
) -> list[tuple[str, str]]:
    """Write a data set into folder/NAME/1.0.0; return (id, reason) of each item that was skipped.

    Args:
      name: the name of the data set, of letters, digits and _.
      contents: the items, which are written in their order.
      folder: the folder of data sets.
      description: what it is, with its citation.
      max_skipped: the number of damaged items that is tolerated.
      advance: called with the number of items that were just done.

    Raises:
      ValueError: more items or a whole split are damaged, or the name of a split is not allowed.
      OSError: the folder cannot be written to.
    """
    for split in contents.splits:
        if not re.fullmatch(r"\w+", split, re.ASCII) or split.lower() == "all":
            raise ValueError(
                f"A split cannot be called {split!r}: use letters, digits and _, but not 'all'."
            )
    skipped = [*contents.skipped]
    _check_skipped(skipped, max_skipped)
    rows = {
        split: _rows(split, items, skipped, max_skipped, advance)
        for split, items in contents.splits.items()
    }
    builder = _builder(name, _features(contents.columns), rows, description)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder(data_dir=folder, file_format="array_record").download_and_prepare()
    except RuntimeError as error:  # of array_record: for example because the disk is full
        raise OSError(f"{folder} cannot be written: {error}.") from error
    return skipped


def _check_skipped(skipped: list[tuple[str, str]], most: int) -> None:
    if len(skipped) > most:
        first = "; ".join(f"{name} {reason}" for name, reason in skipped[:3])
        raise ValueError(
            f"More than {most} items cannot be used, the first: {first}. Fix them, or allow more "
            "with --max-skipped."
        )


def _rows(
    split: str,
    items: list[Item],
    skipped: list[tuple[str, str]],
    max_skipped: int,
    advance: Callable[[int], None],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield numbers and rows of the undamaged items of a split; add the others to `skipped`."""
    number = 0
    for item in items:
        try:
            row = item.read()
        except ValueError as error:
            skipped.append((item.id, str(error)))
            _check_skipped(skipped, max_skipped)
        else:
            yield number, {"id": item.id, **row}
            number += 1
        advance(1)
    if not number:
        raise ValueError(
            f"Every item of the split {split} is damaged, the first because {skipped[0][1]}: copy "
            "them again, or leave the split out."
        )


def _builder(
    name: str, features: Any, rows: dict[str, Iterator[tuple[int, dict]]], description: str
) -> Any:
    """Return the class of a data set, in the form that TensorFlow Datasets asks for."""
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

    tfds.disable_progress_bar()
    info = {"description": description, "features": features, "disable_shuffling": True}

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(VERSION)
        code_path = pkg_dir_path = None  # beside which the library would look for checksums

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(builder=self, **info)

        def _split_generators(self, dl_manager: Any) -> Any:
            return rows

        def _generate_examples(self) -> Any:  # abstract
            raise NotImplementedError

    Builder.name = name
    return Builder


def _features(columns: dict[str, str | list[str]]) -> Any:
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
    return tfds.features.FeaturesDict(
        {
            column: kinds[kind] if isinstance(kind, str) else tfds.features.ClassLabel(names=kind)
            for column, kind in columns.items()
        }
    )
