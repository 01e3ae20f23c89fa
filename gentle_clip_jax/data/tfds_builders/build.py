"""Writer of TensorFlow Datasets' array_record format, shard by shard, without TensorFlow."""

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.writing import rename, write_text

VERSION = "1.0.0"
_SHARD = 1024  # items


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
    beside: texts to write beside the records, by file name.
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
    description: str,
    max_skipped: int,
    done: dict[str, str],
    note: Callable[[], None],
    advance: Callable[[int], None],
) -> list[tuple[str, str]]:
    """Write a data set into a folder and return (id, reason) of each item that was skipped.

    Args:
      name: the name of the data set, of letters, digits and _.
      contents: the items.
      folder: the folder of this version of the data set.
      description: what it is, with its citation.
      max_skipped: the number of damaged items that is tolerated.
      done: SHA-256 of finished shards by file name; they are not written again. New shards are
        added, except those with damaged items, which may be repaired before the next attempt.
      note: called whenever `done` has changed.
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
    features = _features(contents.columns)
    serialize = _serializer(features)
    lengths: dict[str, list[int]] = {split: [] for split in contents.splits}
    for split, file, items in _shards(name, contents.splits):
        path = folder / file
        if path.is_file() and sha256(path) == done.get(file):
            lengths[split].append(len(items))
            advance(len(items))
            continue
        rows = _rows(items, skipped, max_skipped, advance)
        lengths[split].append(_write(path, map(serialize, rows)))
        if lengths[split][-1] == len(items):
            done[file] = sha256(path)
            note()
    if empty := [split for split in contents.splits if not sum(lengths[split])]:
        raise ValueError(
            f"Every item of the split {empty[0]} is damaged, the first because "
            f"{skipped[0][1]}: copy them again, or leave the split out."
        )
    _write_metadata(name, folder, features, lengths, description)
    for file, text in contents.beside.items():
        write_text(folder / file, text)
    return skipped


def _check_skipped(skipped: list[tuple[str, str]], most: int) -> None:
    if len(skipped) > most:
        first = "; ".join(f"{name} {reason}" for name, reason in skipped[:3])
        raise ValueError(
            f"More than {most} items cannot be used, the first: {first}. Fix them, or allow more "
            "with --max-skipped."
        )


def _shards(name: str, splits: dict[str, list[Item]]) -> Iterator[tuple[str, str, list[Item]]]:
    """Yield the split, file name and items of each shard."""
    for split, items in splits.items():
        parts = [items[start : start + _SHARD] for start in range(0, len(items), _SHARD)]
        for number, part in enumerate(parts):
            yield split, f"{name}-{split}.array_record-{number:05d}-of-{len(parts):05d}", part


def _rows(
    items: list[Item],
    skipped: list[tuple[str, str]],
    max_skipped: int,
    advance: Callable[[int], None],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of undamaged items; add the others to `skipped`."""
    for item in items:
        try:
            row = item.read()
        except ValueError as error:
            skipped.append((item.id, str(error)))
            _check_skipped(skipped, max_skipped)
        else:
            yield {"id": item.id, **row}
        advance(1)


def _write(path: pathlib.Path, records: Iterable[bytes]) -> int:
    """Write a shard atomically and return its number of records.

    Raises:
      OSError: it cannot be written, for example because the disk is full.
    """
    from array_record.python.array_record_module import (  # pyright: ignore[reportMissingImports]
        ArrayRecordWriter,
    )

    part, count = path.with_name("unfinished.part"), 0
    try:
        with contextlib.closing(ArrayRecordWriter(str(part), "group_size:1")) as writer:
            for record in records:
                writer.write(record)
                count += 1
    except RuntimeError as error:
        raise OSError(f"{path} cannot be written: {error}.") from error
    rename(part, path)
    return count


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


def _serializer(features: Any) -> Callable[[dict[str, Any]], bytes]:
    """Return the function from a row to the bytes of its record, the same in every process."""
    from tensorflow_datasets.core import (  # pyright: ignore[reportMissingImports]
        example_serializer,
    )

    serializer = example_serializer.ExampleSerializer(features.get_serialized_info())

    def serialize(row: dict[str, Any]) -> bytes:
        # Not features.serialize_example, whose order of columns varies between processes.
        example = serializer.get_tf_example(features.encode_example(row))
        return example.SerializeToString(deterministic=True)

    return serialize


def _write_metadata(
    name: str, folder: pathlib.Path, features: Any, lengths: dict[str, list[int]], description: str
) -> None:
    """Write the metadata that TensorFlow Datasets needs to read the shards."""
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

    infos = []
    for split, numbers in lengths.items():
        where: Any = folder  # TFDS has a Path of its own
        template = tfds.core.ShardedFileTemplate(where, dataset_name=name, split=split)
        size = sum(path.stat().st_size for path in folder.glob(f"{name}-{split}.array_record-*"))
        infos.append(tfds.core.SplitInfo(split, numbers, size, template))
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=infos,
        version=VERSION,
        check_data=False,  # the check would need TensorFlow
        description=description,
    )
