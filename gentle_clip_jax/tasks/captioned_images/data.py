"""Dataset of captioned or labelled images, which are decoded only when they are needed."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data import images, texts
from gentle_clip_jax.data.batches import Dataset, Pairs
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.tasks.captioned_images.listed import Captioned, Captions, Listed

Encode = Callable[[Iterable[str]], np.ndarray]  # texts -> token ids [n, t], 0 = padding


@dataclasses.dataclass(frozen=True)
class ImageRows:
    """Images whose pixels are decoded by threads on access: [rows] gives uint8 [b, size, size, 3].

    Raises:
      ValueError: an image cannot be read; the message names it.
    """

    listed: Sequence[images.Image]
    size: int

    def __len__(self) -> int:
        return len(self.listed)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        numbers = np.arange(len(self.listed))[rows]
        with ThreadPoolExecutor() as pool:
            pixels = [*pool.map(self._decode, numbers)]
        return np.stack(pixels) if pixels else np.zeros((0, self.size, self.size, 3), np.uint8)

    def digests(self, rows: slice = slice(None)) -> list[str]:
        """Return the SHA-256 of each file, or the reason why it cannot be read."""

        def digest(image: images.Image) -> str:
            try:
                return sha256_of(image.read())
            except (OSError, ValueError) as error:
                return str(error)

        with ThreadPoolExecutor() as pool:
            return [*pool.map(digest, self.listed[rows])]

    def _decode(self, number: int) -> np.ndarray:
        image = self.listed[number]
        try:
            return images.decode(image.read(), self.size)
        except ValueError as error:
            raise ValueError(f"The image {image.id} {error}: fix it or remove it.") from error


class Classified(NamedTuple):
    """Images to classify, the prompts of the classes as token ids [c, t], the labels [n]."""

    images: ImageRows
    classes: np.ndarray
    labels: np.ndarray


class Metadata(NamedTuple):
    """The metadata of the task: tokenizer, cache folder, sources and classes.

    encode: function from texts to token ids. cache: folder of cached results. validation_sources,
    test_sources: name of each item's data set. validation, test: images to classify, by the name of
    their data set.
    """

    encode: Encode
    cache: pathlib.Path
    validation_sources: np.ndarray
    test_sources: np.ndarray
    validation: dict[str, Classified]
    test: dict[str, Classified]


def load_data(
    encode: Encode,
    cache: pathlib.Path,
    listed: Listed,
    *,
    folder: str | pathlib.Path,
    zero_shot: Sequence[str],
    excluded_labels: Sequence[str],
    prompt: str,
    size: int,
) -> Dataset:
    """Return the dataset of the listed items, images of `size` pixels, and of the classes.

    `zero_shot` names the sets to classify as SET:SPLIT, each a folder/SET with metadata.jsonl and
    images; an empty SPLIT means all splits. If a set is also validated on, its split "val" is
    classified in validation. y are token ids [n, k, t] of k captions per item.

    Raises:
      ValueError: a set does not exist or has no labels.
    """
    root, num_pairs = pathlib.Path(folder), len(listed.matched)
    # Matched and unmatched items share a batch, so they need the same number of captions.
    matched_captions = [captions for _, captions in listed.matched]
    tokens = _tokens([*matched_captions, *listed.unmatched_captions], encode)
    validation, test = (
        [item for items in part.values() for item in items]
        for part in (listed.validation, listed.test)
    )
    options = {"prompt": prompt, "excluded": excluded_labels, "encode": encode, "size": size}
    split_of = dict(one.split(":") for one in zero_shot)
    metadata = Metadata(
        encode=encode,
        cache=cache,
        validation_sources=_sources(listed.validation),
        test_sources=_sources(listed.test),
        validation={
            name: _classified(root / name, "val", **options)
            for name in split_of
            if name in listed.validation
        },
        test={name: _classified(root / name, split, **options) for name, split in split_of.items()},
    )
    return Dataset(
        matched=_pairs(listed.matched, tokens[:num_pairs], size),
        unmatched_x=ImageRows(listed.unmatched_images, size),
        unmatched_y=tokens[num_pairs:],
        validation=_pairs(validation, _tokens([texts for _, texts in validation], encode), size),
        test=_pairs(test, _tokens([texts for _, texts in test], encode), size),
        metadata=metadata,
    )


def _sources(sets: dict[str, Captioned]) -> np.ndarray:
    return np.repeat([*sets], [len(items) for items in sets.values()])


def _tokens(items: list[Captions], encode: Encode) -> np.ndarray:
    """Return token ids [n, k, t]; captions of an item that has fewer than k are repeated."""
    most = max(map(len, items))
    every = [captions[k % len(captions)] for captions in items for k in range(most)]
    return encode(every).reshape(len(items), most, -1)


def _pairs(items: Captioned, tokens: np.ndarray, size: int) -> Pairs:
    names = np.array([captions[0] for _, captions in items])
    return Pairs(ImageRows([image for image, _ in items], size), tokens, names)


def _classified(
    folder: pathlib.Path,
    split: str,
    *,
    prompt: str,
    excluded: Sequence[str],
    encode: Encode,
    size: int,
) -> Classified:
    prompts = texts.list_classes(folder, prompt)
    names = [one.id for one in prompts if one.id not in excluded]
    listed = [i for i in images.list_images(folder, split or None) if i.label in names]
    return Classified(
        ImageRows(listed, size),
        encode([one.text for one in prompts if one.id in names]),
        np.array([names.index(str(image.label)) for image in listed]),
    )
