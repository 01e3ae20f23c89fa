"""Images from a folder, zip files, parquet files or a TFDS folder, and their pixels."""

import collections
import functools
import io
import pathlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.data import metadata
from gentle_clip_jax.data.texts import in_split

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
_MAX_BYTES = 2**28


class Image(NamedTuple):
    """An image's id, its split and label where known, and what reads the bytes of its file."""

    id: str
    split: str | None
    label: str | None
    read: Callable[[], bytes]


def list_images(data: pathlib.Path, split: str | None = None) -> list[Image]:
    """The images of `data`, of all splits or of one, in the order of their names; none is read yet.

    A folder: its image files and those of the folders below, and what .zip and .parquet files in it
    hold; or what TensorFlow Datasets has prepared there as array_record. Or one such file. An image
    is called by its path without suffix, a row of parquet by its column `id`, or else its file and
    number. metadata.jsonl beside them may give `split` and `label` of an `id`.

    Raises:
      ValueError: there are none, none of that split, or two are called the same.
    """
    if not data.exists():
        raise ValueError(f"There is no file or folder {data}.")
    if (data / "dataset_info.json").is_file():
        images = list(_in_tfds(data))
    else:
        images = list(_in_folder(data) if data.is_dir() else _in_file(data, data.parent))
    if not images:
        raise ValueError(
            f"{data} has no images: {', '.join(SUFFIXES)}, .zip and .parquet files are read."
        )
    name, count = collections.Counter(image.id for image in images).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{count} images in {data} are called {name}: rename them or leave one.")
    about = (data if data.is_dir() else data.parent) / metadata.NAME
    if about.is_file():
        rows = {row["id"]: row for row in metadata.read_lines(about)}
        images = [_described(image, rows.get(image.id, {})) for image in images]
    return in_split(images, split, data)


def _described(image: Image, row: dict[str, Any]) -> Image:
    return image._replace(
        split=row.get("split") or image.split, label=row.get("label") or image.label
    )


def _in_folder(folder: pathlib.Path) -> Iterator[Image]:
    for path in sorted(folder.rglob("*")):
        if not metadata.is_hidden(path.relative_to(folder)):
            yield from _in_file(path, folder)


def _in_file(path: pathlib.Path, folder: pathlib.Path) -> Iterator[Image]:
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        name = path.relative_to(folder).with_suffix("").as_posix()
        yield Image(name, None, None, functools.partial(_read_file, path))
    elif suffix == ".zip":
        yield from _in_zip(path)
    elif suffix == ".parquet":
        yield from _in_parquet(path)


def _read_file(path: pathlib.Path) -> bytes:
    _check_size(path.stat().st_size)
    return path.read_bytes()


def _check_size(size: int) -> None:
    if size > _MAX_BYTES:
        raise ValueError(f"has {size} bytes, more than {_MAX_BYTES}")


def _in_zip(path: pathlib.Path) -> Iterator[Image]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is no sound zip file ({error}).") from error
    for member in archive.infolist():
        name = pathlib.PurePosixPath(member.filename)
        if name.suffix.lower() in SUFFIXES and not metadata.is_hidden(name):
            read = functools.partial(_read_member, archive, member)
            yield Image(str(name.with_suffix("")), None, None, read)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    _check_size(member.file_size)
    return archive.read(member)


def _in_parquet(path: pathlib.Path) -> Iterator[Image]:
    import pyarrow.parquet as pq

    file, lock = pq.ParquetFile(path), threading.Lock()
    column = next((f.name for f in file.schema_arrow if _holds_bytes(f.type)), None)
    if column is None:
        raise ValueError(f"{path} has no column with the bytes of image files.")

    @functools.lru_cache(maxsize=2)
    def images_of_group(group: int) -> Any:
        return file.read_row_group(group, columns=[column])[column]

    def read(group: int, row: int) -> bytes:
        with lock:  # threads would each read the group
            value = images_of_group(group)[row].as_py()
        return value["bytes"] if isinstance(value, dict) else value

    names = [n for n in ("id", "split", "label") if n in file.schema_arrow.names]
    number = 0
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, columns=names).to_pylist()
        for row in range(file.metadata.row_group(group).num_rows):
            about = {n: metadata.text(rows[row].get(n)) for n in names}
            name = about.get("id") or f"{path.stem}-{number}"
            number += 1
            yield Image(
                name, about.get("split"), about.get("label"), functools.partial(read, group, row)
            )


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _in_tfds(folder: pathlib.Path) -> Iterator[Image]:
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

    builder: Any = tfds.builder_from_directory(folder)
    features = dict(builder.info.features.items())
    column = next((n for n, f in features.items() if isinstance(f, tfds.features.Image)), None)
    if column is None:
        raise ValueError(f"{folder} has no images among {', '.join(features)}.")
    label: Any = features.get("label")
    raw = tfds.decode.SkipDecoding()
    for split in builder.info.splits:
        source = builder.as_data_source(split=split, decoders={column: raw})
        for number in range(len(source)):
            row = source[number]
            name = row.get("id", f"{split}-{number}")
            yield Image(
                name.decode() if isinstance(name, bytes) else str(name),
                split,
                label.int2str(row["label"]) if hasattr(label, "int2str") else None,
                lambda source=source, number=number: source[number][column],
            )


def decode(data: bytes, size: int = 224) -> np.ndarray:
    """Pixels [size, size, 3] uint8 of an image file: shorter side to `size`, then its centre.

    Bicubic. Turned upright as its camera says; what is transparent becomes white; 16 bits become 8.

    Raises:
      ValueError: it is no sound image, or one of more than about 90 million pixels.
    """
    from PIL import Image as pillow
    from PIL import ImageOps

    try:
        image = pillow.open(io.BytesIO(data))
        if image.width * image.height > 89_478_485:
            raise ValueError("it has more than 90 million pixels")
        if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
            raise ValueError("it is a stack of several pictures")
        image.draft("", (2 * size, 2 * size))  # large JPEG files halved or less, much sooner
        image = _rgb(ImageOps.exif_transpose(image))
    except pillow.UnidentifiedImageError as error:
        raise ValueError("is no image of a kind that Pillow knows") from error
    except Exception as error:  # Pillow raises any kind for a broken file
        raise ValueError(f"cannot be read as an image: {error}") from error
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.resize((width, height), pillow.Resampling.BICUBIC)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def _rgb(image: Any) -> Any:
    from PIL import Image as pillow

    if image.mode in ("I", "F"):
        raise ValueError("it has 32 bits a pixel; save it with 8 or 16")
    if image.mode.startswith("I;16"):
        # Pillow would cut them off at 255.
        image = pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
