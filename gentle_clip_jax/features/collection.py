"""`Collection`: items of one modality with their features, ids and metadata."""

import dataclasses
import functools
import html
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gentle_clip_jax.data.ids import check_writable
from gentle_clip_jax.data.pairs import RowNumbers
from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.digests import sha256_of, sha256_of_npy

if TYPE_CHECKING:
    import pandas

    from gentle_clip_jax.pages.items import Card

_ENCODER = ("encoder", "role", "prompt", "layers", "views")
_COLUMNS = {"ids": "id", "splits": "split", "labels": "label", "texts": "text"}
_OF_THE_ROWS = ("sha256", "contents_sha256", "listing_sha256", "num_rows", "skipped", "num_cut")
_BLOCK, _PREVIEWS = 8192, 8


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Collection:
    """Items of one modality: one or several rows of features for each, and their metadata.

    features: [n, d] float16, float32 or float64, possibly memory-mapped.
    ids: [n] str, the item of each row, of which it may have several; `RowNumbers` without ids.
    splits, labels, texts: [n] str, "" for a row without one; None where no row has one.
    path: the folder or file that it was read from; None for other collections.
    manifest: provenance of a folder of features (encoder, data, versions); {} without one.

    Raises ValueError if the arrays do not have one entry for each row.

    >>> Collection(np.zeros((3, 2)), np.array(["b", "a", "b"])).items.tolist()
    ['b', 'a']
    """

    features: np.ndarray
    ids: np.ndarray
    splits: np.ndarray | None = None
    labels: np.ndarray | None = None
    texts: np.ndarray | None = None
    path: pathlib.Path | None = None
    manifest: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.features.ndim != 2:
            raise ValueError(
                f"The features of a collection must be an array [rows, dimensions], not of shape "
                f"{self.features.shape}."
            )
        for name in _COLUMNS:
            values = getattr(self, name)
            if values is not None and len(values) != len(self.features):
                raise ValueError(
                    f"A collection of {len(self.features)} rows has {len(values)} {name}: give one "
                    "for each row."
                )
        check_writable(self.ids)

    @property
    def items(self) -> np.ndarray:
        """[m] str: the id of each item once, in the order of their first rows."""
        return self._items

    @functools.cached_property
    def _items(self) -> np.ndarray:
        return np.array([*self._numbers], self.ids.dtype).view(type(self.ids))

    @functools.cached_property
    def item_of_row(self) -> np.ndarray:
        """[n] int: the place in `items` of the item of each row."""
        return self.numbers_of(self.ids.tolist())

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {id_: number for number, id_ in enumerate(dict.fromkeys(self.ids.tolist()))}

    @property
    def is_numbered(self) -> bool:
        """True if the ids are row numbers, which are valid for these features alone."""
        return isinstance(self.ids, RowNumbers)

    def numbers_of(self, ids: Iterable[str]) -> np.ndarray:
        """Return the places in `items` of items by their ids; KeyError if there is no such item."""
        return np.array([self._numbers[str(id_)] for id_ in ids], int)

    @property
    def name(self) -> str:
        """The path for messages, or a word where there is none."""
        return str(self.path) if self.path is not None else "this collection"

    @property
    def data(self) -> pathlib.Path | None:
        """The images, texts or sequences that the features were made of; None if not recorded."""
        data = self.manifest.get("arguments", {}).get("data")
        return folders.find_data(data, self.path) if data else None

    @property
    def encoder(self) -> dict[str, Any] | None:
        """The encoder's name, role, prompt, layers, views and weights' SHA-256; None if unknown."""
        arguments = self.manifest.get("arguments", {})
        if not arguments.get("encoder"):
            return None
        metadata = {name: arguments.get(name) for name in _ENCODER}
        return {**metadata, "weights_sha256": self.manifest.get("weights_sha256")}

    @property
    def sha256(self) -> dict[str, str]:
        """SHA-256 of the features, as their .npy file has it, and of their ids."""
        features = self.manifest.get("sha256", {}).get(folders.FEATURES)
        features = features or sha256_of_npy(np.asarray(self.features))
        return {"features": features, "ids": sha256_of(self.ids.tolist())}

    def of_items(self, ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return the features [n, k, d] of n items, where k is the most rows that an item has.

        An item with fewer rows than another has some of them again.
        """
        order = np.argsort(self.ids, kind="stable")
        wanted = np.asarray(ids).astype(self.ids.dtype)
        first = np.searchsorted(self.ids[order], wanted)
        count = np.searchsorted(self.ids[order], wanted, side="right") - first
        most = np.unique(self.ids, return_counts=True)[1].max()
        chosen = order[first[:, None] + np.arange(most)[None, :] % count[:, None]]
        rows = np.asarray(self.features)[chosen]
        reading.release(self.features)
        return rows

    def means(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the mean [m, k] of the rows of each item: of rows [n, k], or of the features."""
        rows = self.features if rows is None else rows
        count = np.bincount(self.item_of_row, minlength=len(self.items))
        if len(rows) == len(count):
            return rows[np.argsort(self.item_of_row)]
        sums = np.zeros((len(count), rows.shape[1]), np.float64)
        np.add.at(sums, self.item_of_row, rows)
        return (sums / count[:, None]).astype(np.float32)

    @functools.cached_property
    def item_texts(self) -> list[tuple[str, ...]]:
        """The texts of each item of `items`, () for one without."""
        texts: list[tuple[str, ...]] = [()] * len(self.items)
        if self.texts is not None:
            for number, text in zip(self.item_of_row.tolist(), self.texts.tolist()):
                texts[number] += (str(text),) if text else ()
        return texts

    @functools.cached_property
    def item_labels(self) -> list[str]:
        """The label of the first row of each item of `items`, "" for one without."""
        if self.labels is None:
            return [""] * len(self.items)
        first = np.unique(self.item_of_row, return_index=True)[1]
        return [str(label) for label in self.labels[first]]

    def texts_of(self, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the texts of items by id, () for an item without."""
        return {id_: self.item_texts[self._numbers[id_]] for id_ in ids}

    def previews(
        self, ids: Sequence[str], data: pathlib.Path | None = None, *, pixels: int = 320
    ) -> dict[str, "Card"]:
        """Return what a page shows of items, by id: their texts and small pictures.

        Args:
          data: the pictures, where the manifest does not say where they are.
          pixels: of a side of a picture.
        """
        from gentle_clip_jax.data.thumbnails import thumbnails
        from gentle_clip_jax.pages.items import Card

        texts, pictures = self.texts_of(ids), thumbnails(data or self.data, ids, pixels=pixels)
        return {
            id_: Card(id_, text="\n".join(texts[id_]), picture=pictures.get(id_)) for id_ in ids
        }

    def select(self, mask_or_ids: np.ndarray | Sequence[str]) -> "Collection":
        """Return the collection of some rows, in their order.

        Args:
          mask_or_ids: [n] bool, True for a row to keep; or the ids of the items to keep.

        Raises:
          ValueError: the mask is of another length, or there is no such item.
        """
        mask = np.asarray(mask_or_ids)
        if mask.dtype != bool:
            ids = [*map(str, mask.tolist())]
            if missing := next((id_ for id_ in ids if id_ not in self._numbers), None):
                raise ValueError(f"There is no item {missing!r} in {self.name}.")
            mask = np.isin(self.ids, ids)
        if len(mask) != len(self.ids):
            raise ValueError(f"The mask has {len(mask)} entries for {len(self.ids)} rows.")
        columns = {name: getattr(self, name) for name in _COLUMNS}
        rows = {name: None if one is None else one[mask] for name, one in columns.items()}
        manifest = {k: v for k, v in self.manifest.items() if k not in _OF_THE_ROWS}
        return Collection(self.features[mask], **rows, manifest=manifest)  # type: ignore[reportArgumentType]

    def lines(self) -> Iterator[dict[str, str]]:
        """Yield the id, split, label and text of each row, those of them that there are."""
        columns = {name: getattr(self, key) for key, name in _COLUMNS.items()}
        columns = {name: values.tolist() for name, values in columns.items() if values is not None}
        return (dict(zip(columns, row)) for row in zip(*columns.values()))

    def save(self, folder: str | pathlib.Path) -> None:
        """Write a folder that `read` reads; without its manifest, which comes last, it does not.

        Raises:
          ValueError: the folder holds something else.
          OSError: it cannot be written.
        """
        folder, count = pathlib.Path(folder), len(self.features)
        starts = range(0, count, _BLOCK)
        numbers = (np.arange(start, min(start + _BLOCK, count)) for start in starts)
        blocks = zip(numbers, reading.blocks_of(self.features, _BLOCK))
        manifest = {**self.manifest, "num_rows": count, "row_numbers": self.is_numbered}
        with folders.writing(folder):
            folders.write_contents(folder, count, self.features.dtype.name, blocks, self.lines())
            folders.write_manifest(folder, manifest)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with a line for each row: its id, split, label, text and features."""
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("A table needs pandas: pip install pandas.") from error
        return pandas.DataFrame([*self.lines()]).assign(features=[*np.asarray(self.features)])

    def __repr__(self) -> str:
        rows, width = self.features.shape
        several = f", {rows:,} rows" if len(self.items) < rows else ""
        encoder = f", encoder {str(self.encoder['encoder'])[:200]}" if self.encoder else ""
        path = f", {str(self.path)[:500]}" if self.path is not None else ""
        return f"Collection({len(self.items):,} items{several}, {width:,} features{encoder}{path})"

    def _repr_html_(self) -> str:
        """Show the first items in a notebook."""
        from gentle_clip_jax.pages.items import previews_html

        shown = self.previews(self.items[:_PREVIEWS].tolist())
        return f"<p>{html.escape(repr(self))}</p>{previews_html(shown.values())}"
