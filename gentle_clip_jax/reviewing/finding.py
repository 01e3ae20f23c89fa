"""Search of items by words or by another item: through the encoder that made their features, or
else by the words of their texts and ids.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.searching.encoder import QueryEncoder

MOST = 300  # characters of a query
Rows = Callable[[np.ndarray], np.ndarray]


class Space(NamedTuple):
    """One fit: unit rows x [n, k] and y [m, k] of all items, and the maps of raw features."""

    x: np.ndarray
    y: np.ndarray
    embed_x: Rows
    embed_y: Rows


class Finder:
    """Ranks the items of both modalities by their similarity to a query.

    space: the latest fit, which every refit replaces; None before the first one. first: the first.

    Args:
      x, y: the items.
      space: the first fit.
      load_encoder: function that loads the encoder of words; None if there is none.
    """

    def __init__(
        self,
        x: Collection,
        y: Collection,
        space: Space | None,
        load_encoder: Callable[[], QueryEncoder] | None = None,
    ):
        self._sides, self._load_encoder = {"x": x, "y": y}, load_encoder
        self.space = self.first = space
        self._encoder: QueryEncoder | None = None
        self._features: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()
        self._reason = "" if load_encoder else "There is no encoder to search by words."

    @property
    def is_refitted(self) -> bool:
        """True if the latest fit is another than the first."""
        return self.space is not self.first

    def fitted(self, space: Space) -> None:
        """Use another fit from now on."""
        self.first, self.space = self.first or space, space

    def words(self, words: str, *, first: bool = False) -> dict[str, np.ndarray]:
        """Return scores of all items, "x" [n] and "y" [m], for some words; higher is more similar.

        `first`: use the first fit in place of the latest; {} if no fit is used.

        Scores are cosines where the encoder of the features reads words, else the shares of words
        that are in an item's texts, label or id. Before the first fit they are these shares, and in
        the modality of that encoder the cosines of centred features are added.

        Raises:
          ValueError: there are no words or too many, or no item has any of them.
        """
        words = " ".join(words.split())
        if not words or len(words) > MOST:
            raise ValueError(f"Give some words, {MOST} characters at most.")
        with self._lock:
            encoder = self._opened()
            if encoder is not None:
                if words not in self._features:  # those of the latest words, for both fits
                    self._features = {words: encoder.embed(words)}
                space, features = self.first if first else self.space, self._features[words]
                if space is None:
                    return self._before_a_fit(words, encoder.side, features)
                embed = space.embed_x if encoder.side == "x" else space.embed_y
                own, other = embed(np.concatenate([features, encoder.smooth(features)]))
                queries = (own, other) if encoder.side == "x" else (other, own)
                return {"x": space.x @ queries[0], "y": space.y @ queries[1]}
        return {} if first else self._standing_in(words)

    def like(self, side: str, number: int, *, first: bool = False) -> dict[str, np.ndarray]:
        """Return the cosines of all items with one of them, by the latest fit or by the first.

        Raises:
          ValueError: there is no such item.
        """
        space = self.first if first else self.space
        if space is None:
            raise ValueError("Nothing is fitted yet: find three pairs first.")
        rows = {"x": space.x, "y": space.y}.get(side)
        if rows is None or not 0 <= number < len(rows):
            raise ValueError("There is no such item.")
        return {"x": space.x @ rows[number], "y": space.y @ rows[number]}

    def _opened(self) -> QueryEncoder | None:
        if self._encoder is None and not self._reason:
            assert self._load_encoder is not None
            try:
                self._encoder = self._load_encoder()
            except (ValueError, ImportError) as error:  # weights are an extra of the package
                self._reason = str(error)
        return self._encoder

    def _before_a_fit(self, words: str, side: str, features: np.ndarray) -> dict[str, np.ndarray]:
        scores = self._shares(words)
        rows = self._sides[side].means()
        centre = rows.mean(axis=0)
        near = unit_rows(rows - centre) @ unit_rows(features.reshape(1, -1) - centre)[0]
        return {**scores, side: scores[side] + np.maximum(near, 0)}

    def _standing_in(self, words: str) -> dict[str, np.ndarray]:
        scores = self._shares(words)
        if not any(of.any() for of in scores.values()):
            raise ValueError(f"No text and no name holds these words. {self._reason}")
        return scores

    def _shares(self, words: str) -> dict[str, np.ndarray]:
        wanted = words.casefold().split()
        return {
            name: np.array([_share(wanted, side, number) for number in range(len(side.items))])
            for name, side in self._sides.items()
        }


def _share(wanted: list[str], side: Collection, number: int) -> float:
    text = " ".join(
        [str(side.items[number]), side.item_labels[number], *side.item_texts[number]]
    ).casefold()
    return sum(word in text for word in wanted) / len(wanted)
