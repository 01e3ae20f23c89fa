"""Thumbnails of a folder's pictures by item id, made once and cached in memory."""

import functools
import io
import pathlib
from collections.abc import Iterator

from gentle_clip_jax.data import images, pixels
from gentle_clip_jax.features.collection import Collection

KEPT = 4096  # thumbnails in memory, about 10 KiB each
_SIZE = 256  # pixels of a side


class Pictures:
    """Pictures of a folder, or of a zip or parquet file; nothing outside of it is read.

    Args:
      folder: as for `gentle-clip encode --data`.

    Raises:
      ValueError: there are no pictures, or an archive is a link to another place.
    """

    def __init__(self, folder: str | pathlib.Path):
        self.folder = pathlib.Path(folder)
        if not self.folder.exists():
            raise ValueError(f"There is no folder of pictures {folder}.")
        self._root = self.folder.resolve()
        self._files = dict(self._plain_files())
        self._images = {image.id: image for image in images.list_images(self.folder)}
        for name, path in self._files.items():
            if not self._is_inside(path):
                self._images.pop(name, None)
        self.thumbnail = functools.lru_cache(maxsize=KEPT)(self._thumbnail)

    def __contains__(self, name: str) -> bool:
        return name in self._images

    def _thumbnail(self, name: str) -> bytes:
        """Return the JPEG file of an item's picture.

        Raises:
          KeyError: the item has no picture, or it is outside of the folder.
          ValueError: the picture is unreadable.
        """
        from PIL import Image

        path = self._files.get(name)
        if path is not None and not self._is_inside(path):  # a link since the folder was listed
            raise KeyError(name)
        square = pixels.decode(self._images[name].read(), _SIZE)
        file = io.BytesIO()
        Image.fromarray(square).save(file, "JPEG", quality=82)
        return file.getvalue()

    def _plain_files(self) -> Iterator[tuple[str, pathlib.Path]]:
        for path in [*self.folder.rglob("*")] if self.folder.is_dir() else [self.folder]:
            if path.suffix.lower() in images.SUFFIXES:
                base = self.folder if self.folder.is_dir() else self.folder.parent
                yield path.relative_to(base).with_suffix("").as_posix(), path
            elif path.is_symlink() and not self._is_inside(path):
                raise ValueError(f"{path} is a link that leaves {self.folder}: take it out.")

    def _is_inside(self, path: pathlib.Path) -> bool:
        return path.resolve().is_relative_to(self._root)


def pictures_of(collection: Collection) -> Pictures | None:
    """Return the pictures that a collection was encoded from, as long as they are there."""
    if collection.data is None or any(collection.item_texts):
        return None
    try:
        found = Pictures(collection.data)
    except (ValueError, OSError, ImportError):
        return None  # no pictures, or not any more
    return found if any(id_ in found for id_ in collection.items.tolist()) else None
