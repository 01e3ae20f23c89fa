"""A reader of data sets that TensorFlow Datasets prepared as array_record, without TensorFlow."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_INFO = "dataset_info.json"


@dataclasses.dataclass(frozen=True)
class Source:
    """Rows by number, as dicts of Python values.

    Texts are str, lists of texts are lists, classes are their names or None, images are the bytes
    of their files; other columns are numbers and arrays. `images` is the name of the column of
    images, or None.
    """

    records: Any
    features: dict[str, Any]
    images: str | None
    parse: Callable[[bytes], Any]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = self.parse(self.records[int(number)])
        return {name: _plain(self.features[name], value) for name, value in row.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))


def open_source(
    name_or_folder: str | pathlib.Path, split: str, columns: Sequence[str] | None = None
) -> Source:
    """Return the rows of a split, in the order they were written in.

    Args:
      name_or_folder: the folder of a prepared data set or of one of its versions; or its name in
        the catalogue, such as coco_captions, uc_merced or resisc45, if it is prepared in the folder
        that TFDS_DATA_DIR names (else ~/tensorflow_datasets).
      split: a split, or a part of one such as "train[:10%]".
      columns: the columns to read; None for all. Fewer columns take less time.

    Raises:
      ValueError: there is no such data set, it has no such split, or it was prepared as tfrecord.
    """
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

    builder = _builder(name_or_folder)
    features = {
        name: feature
        for name, feature in builder.info.features.items()
        if columns is None or name in columns
    }
    images = [n for n, feature in features.items() if isinstance(feature, tfds.features.Image)]
    if split.partition("[")[0] not in builder.info.splits:
        raise ValueError(
            f"{name_or_folder} has no split {split}, only {', '.join(builder.info.splits)}."
        )
    as_bytes = tfds.decode.DeserializeMethod.RAW_BYTES
    try:
        records: Any = builder.as_data_source(split=split, deserialize_method=as_bytes)
    except NotImplementedError as error:
        raise ValueError(
            f"{name_or_folder} was prepared as {builder.info.file_format}, which has no random "
            "access: prepare it again with file_format='array_record'."
        ) from error
    parse = functools.partial(
        tfds.features.FeaturesDict(features).deserialize_example_np,
        decoders=dict.fromkeys(images, tfds.decode.SkipDecoding()),
    )
    return Source(records, features, images[0] if images else None, parse)


def splits(name_or_folder: str | pathlib.Path) -> list[str]:
    """Return the names of the splits of a prepared data set, in its order."""
    return list(_builder(name_or_folder).info.splits)


def is_prepared(folder: pathlib.Path) -> bool:
    """Return whether this folder, or a version below it, was prepared by TensorFlow Datasets."""
    return _version_folder(folder) is not None


def _version_folder(folder: pathlib.Path) -> pathlib.Path | None:
    if (folder / _INFO).is_file():
        return folder
    versions = [path.parent for path in folder.glob(f"[0-9]*.[0-9]*.[0-9]*/{_INFO}")]
    return max(versions, key=lambda path: [*map(int, path.name.split("."))]) if versions else None


def _builder(name_or_folder: str | pathlib.Path) -> Any:
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]
    from tensorflow_datasets.core import (  # pyright: ignore[reportMissingImports]
        read_only_builder,
    )

    path = pathlib.Path(name_or_folder)
    if path.is_dir():
        if (folder := _version_folder(path)) is None:
            raise ValueError(
                f"{path} is not a prepared data set: neither it nor a version in it has {_INFO}."
            )
        return tfds.builder_from_directory(folder)
    try:
        # Not tfds.builder, which would import code for downloads that may need TensorFlow.
        return read_only_builder.builder_from_files(str(name_or_folder))
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"There is no folder {name_or_folder}, and no data set of that name is prepared in "
            "TFDS_DATA_DIR (default: ~/tensorflow_datasets)."
        ) from error


def _plain(feature: Any, value: Any) -> Any:
    """Return a value, or the values of a sequence, as plain Python objects."""
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

    if isinstance(feature, tfds.features.Sequence):
        feature = feature.feature
    if isinstance(feature, tfds.features.FeaturesDict):
        return {name: _plain(feature[name], part) for name, part in value.items()}
    if isinstance(feature, tfds.features.Text):
        one: Any = _text
    elif isinstance(feature, tfds.features.ClassLabel):
        # -1 stands for no class, but would be the index of the last one.
        one = lambda number: feature.int2str(int(number)) if number >= 0 else None  # noqa: E731
    else:
        return value
    return one(value) if isinstance(value, (bytes, str, int)) else [one(part) for part in value]


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
