"""Images from a folder, zip files, parquet files or a TFDS folder."""

import collections
import functools
import os
import pathlib
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gentle_clip_jax.data import metadata, tfds_source
from gentle_clip_jax.data.pixels import decode as decode
from gentle_clip_jax.data.texts import in_split
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.missing import MissingPath

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp")
MOST_BYTES = 2**28
_UNREADABLE = (OSError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)


class Image(NamedTuple):
    """The id, split and label of an image, None where missing, and the reader of its file's bytes.

    `read` raises ValueError if the file cannot be read.
    """

    id: str
    split: str | None
    label: str | None
    read: Callable[[], bytes]


def list_images(data: pathlib.Path, split: str | None = None) -> list[Image]:
    r"""Return the images of `data`, of all splits or of one, ordered by name, without reading them.

    `data` is a folder with image files, .zip and .parquet files, at any depth; a folder that
    TensorFlow Datasets prepared as array_record; or a single such file. The id of an image is its
    path without suffix; in parquet it is the column `id`, else the name of the file and the row
    number. metadata.jsonl beside them may give `split` and `label` by `id`. A file whose name is
    not UTF-8 is listed with bytes escaped as \xe9, and cannot be read.

    Raises:
      ValueError: there are no images, or none of that split; two have the same id; metadata.jsonl
        describes other images; or a zip file has members with paths outside of it.
    """
    if not data.exists():
        raise MissingPath(data)
    if tfds_source.is_prepared(data):
        images = list(_in_tfds(data, split))
    else:
        names = metadata.files_below(data) if data.is_dir() else [data.name]
        folder = data if data.is_dir() else data.parent
        images = [image for name in names for image in _in_file(folder, name)]
    if not images:
        raise ValueError(
            f"{data} has no images: add {', '.join(SUFFIXES)}, .zip or .parquet files."
        )
    name, count = collections.Counter(image.id for image in images).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{count} images in {data} have the id {name}: rename or remove some.")
    listing = (data if data.is_dir() else data.parent) / metadata.NAME
    if listing.is_file():
        images = _described(images, listing)
    return in_split(images, split, data)


def _described(images: list[Image], listing: pathlib.Path) -> list[Image]:
    rows = metadata.by_id(metadata.read_lines(listing))
    if rows and not any(metadata.name_key(image.id) in rows for image in images):
        raise ValueError(
            f"{listing} describes other images: its ids look like {min(rows)!r}, but the images "
            f"have ids like {images[0].id!r}."
        )
    described = []
    for image in images:
        row = rows.get(metadata.name_key(image.id), {})
        split, label = row.get("split") or image.split, row.get("label") or image.label
        described.append(image._replace(split=split, label=label))
    return described


def _in_file(folder: pathlib.Path, name: str) -> Iterator[Image]:
    stem, suffix = os.path.splitext(name)
    suffix = suffix.lower()
    if suffix in SUFFIXES:
        read = functools.partial(_read_file, folder, name)
        is_sound = metadata.is_utf8(name)
        yield Image(metadata.printable(stem), None, None, read if is_sound else _refuse_name)
    elif suffix == ".zip":
        yield from _in_zip(folder / name)
    elif suffix == ".parquet":
        yield from _in_parquet(folder / name)


def _read_file(folder: pathlib.Path, name: str) -> bytes:
    return reading.read_bytes(folder / name, MOST_BYTES)


def _refuse_name() -> bytes:
    raise ValueError("has a name that is not UTF-8: rename the file")


def _check_regular(path: pathlib.Path) -> None:
    try:
        reading.check_regular(path)
    except ValueError as error:
        raise ValueError(f"{path} {error}: remove it from the folder.") from error


def _in_zip(path: pathlib.Path) -> Iterator[Image]:
    _check_regular(path)
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # of any kind if a header is broken
        raise ValueError(f"{path} is not a valid zip file ({error}): copy it again.") from error
    for member in archive.infolist():
        name = pathlib.PurePosixPath(member.filename.replace("\\", "/"))
        if name.suffix.lower() not in SUFFIXES:
            continue
        if name.is_absolute() or ".." in name.parts or name.parts[0].endswith(":"):
            raise ValueError(
                f"{path}: its member {member.filename!r} has a path outside of the zip file: make "
                "the file again without it."
            )
        if not metadata.is_hidden(name):
            read = functools.partial(_read_member, archive, member)
            yield Image(str(name.with_suffix("")), None, None, read)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    reading.check_size(member.file_size, MOST_BYTES)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ValueError("is a link to another file")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python unpacks other methods without limit, whatever size the member declares.
        raise ValueError(
            f"is compressed by another method than deflate: make {archive.filename} again"
        )
    try:
        with archive.open(member) as file:
            # Without a limit everything is unpacked, whatever size the member declares.
            return file.read(member.file_size)
    except _UNREADABLE as error:
        raise ValueError(f"cannot be read from {archive.filename}: {error}") from error


def _in_parquet(path: pathlib.Path) -> Iterator[Image]:
    _check_regular(path)
    try:
        opened = _Parquet(path)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # of any kind if a footer is broken
        raise ValueError(f"{path} is not a valid parquet file ({error}): copy it again.") from error
    file = opened.file
    if opened.column is None:
        raise ValueError(f"{path} has no images: add a column with the bytes of image files.")
    names = [n for n in ("id", "split", "label") if n in file.schema_arrow.names]
    number = 0
    for group in range(file.num_row_groups):
        try:
            rows = file.read_row_group(group, columns=names).to_pylist()
        except _UNREADABLE as error:
            raise ValueError(
                f"{path} is not a valid parquet file ({error}): copy it again."
            ) from error
        for row in range(file.metadata.row_group(group).num_rows):
            where = f"{path}, row {number}"
            fields = {n: metadata.text(rows[row].get(n), where) for n in names}
            name = fields.get("id") or f"{path.stem}-{number}"
            number += 1
            read = functools.partial(_read_cell, opened, path, group, row)
            yield Image(name, fields.get("split"), fields.get("label"), read)


class _Parquet:
    """A parquet file, its first column with the bytes of files (else None), and the images of each
    row group, with at most two groups in memory."""

    def __init__(self, path: pathlib.Path):
        import pyarrow.parquet as pq

        self.file, self.lock = pq.ParquetFile(path), threading.Lock()
        self.column = next((f.name for f in self.file.schema_arrow if _holds_bytes(f.type)), None)
        self.images = functools.lru_cache(maxsize=2)(self._images)

    def _images(self, group: int) -> Any:
        reading.check_size(self.file.metadata.row_group(group).total_byte_size)
        return self.file.read_row_group(group, columns=[self.column])[self.column]


def _read_cell(opened: _Parquet, path: pathlib.Path, group: int, row: int) -> bytes:
    with opened.lock:  # else each thread would read the group
        try:
            value = opened.images(group)[row].as_py()
        except _UNREADABLE as error:
            raise ValueError(f"cannot be read from {path}: {error}") from error
    return (value["bytes"] if isinstance(value, dict) else value) or b""


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _in_tfds(folder: pathlib.Path, only: str | None) -> Iterator[Image]:
    for split in [only] if only else tfds_source.splits(folder):
        column = tfds_source.open_source(folder, split).images
        if column is None:
            raise ValueError(f"{folder} has no images: prepare a data set with images.")
        images = tfds_source.open_source(folder, split, [column])
        for number, row in enumerate(tfds_source.open_source(folder, split, ["id", "label"])):
            name = str(row.get("id", f"{split}-{number}"))
            read = functools.partial(_read_row, images, column, number)
            yield Image(name, split, row.get("label"), read)


def _read_row(source: tfds_source.Source, column: str, number: int) -> bytes:
    return source[number][column]
