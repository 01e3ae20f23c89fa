"""The two piles as a person sees them: items with their texts, pictures or names."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data.embeddings import FeatureSet


class Side(NamedTuple):
    """The items of one modality.

    ids: [n] str, each once, in the order of the rows.
    features: [r, d] raw, a row or several of each item; item: [r] whose row each is.
    texts: [n] the texts of each item, () where it has none; labels: [n] str, "" likewise.
    """

    ids: np.ndarray
    features: np.ndarray
    item: np.ndarray
    texts: list[tuple[str, ...]]
    labels: list[str]

    @classmethod
    def of(cls, rows: FeatureSet) -> "Side":
        """The items of what `embeddings.read` returns."""
        ids, first, inverse = np.unique(rows.ids, return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty(len(ids), int)
        place[order] = np.arange(len(ids))
        item = place[inverse]
        texts: list[tuple[str, ...]] = [()] * len(ids)
        if rows.texts is not None:
            for number, text in zip(item, rows.texts):
                texts[number] += (str(text),) if text else ()
        known = [""] * len(rows.ids) if rows.labels is None else rows.labels
        labels = [str(known[row]) for row in first[order]]
        return cls(ids[order], rows.features, item, texts, labels)

    @property
    def has_texts(self) -> bool:
        """Whether any item is a text."""
        return any(self.texts)

    def means(self, rows: np.ndarray) -> np.ndarray:
        """The mean [n, k] of the rows [r, k] of each item."""
        count = np.bincount(self.item, minlength=len(self.ids))
        if len(rows) == len(count):
            return rows[np.argsort(self.item)]
        sums = np.zeros((len(count), rows.shape[1]), np.float64)
        np.add.at(sums, self.item, rows)
        return (sums / count[:, None]).astype(np.float32)

    def numbers(self, ids: np.ndarray) -> np.ndarray:
        """The numbers of items by their ids.

        Raises:
          KeyError: there is no such item.
        """
        of = {id_: number for number, id_ in enumerate(self.ids.tolist())}
        return np.array([of[str(id_)] for id_ in ids], int)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows [n, k] of length 1; a row of zeros stays one."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)
