"""Image sets with captions or labels as a dataset: images are decoded when they are needed."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data import images, texts
from gentle_clip_jax.data.batches import Dataset, Pairs
from gentle_clip_jax.data.pairing import choose_matched, own_order

Encode = Callable[[Iterable[str]], np.ndarray]  # texts -> token ids [n, t], 0 = padding


@dataclasses.dataclass(frozen=True)
class ImageRows:
    """Images of which [rows] gives the pixels, uint8 [b, size, size, 3]; threads decode them.

    Raises:
      ValueError: one cannot be read; names it.
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

    def _decode(self, number: int) -> np.ndarray:
        image = self.listed[number]
        try:
            return images.decode(image.read(), self.size)
        except ValueError as error:
            raise ValueError(f"The image {image.id} {error}: mend it or take it out.") from error


class Classified(NamedTuple):
    """Images to classify, the prompts of the classes as token ids [c, t], the labels [n]."""

    images: ImageRows
    classes: np.ndarray
    labels: np.ndarray


class About(NamedTuple):
    """What the task knows besides the items.

    encode: texts -> token ids. cache: a folder for what had to be computed. sources: the data set
    of each validation and of each test item. validation, test: what to classify by the name of its
    data set.
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
    *,
    seed: int,
    folder: str | pathlib.Path,
    sets: Sequence[str],
    zero_shot: Sequence[str],
    excluded_labels: Sequence[str],
    prompt: str,
    matched_fraction: float,
    size: int,
) -> Dataset:
    """Images and captions of data sets, folder/SET with a metadata.jsonl and images each.

    The split "train" of `sets` is learned from, a seeded fraction of it as pairs and the rest with
    its captions shuffled; their splits "val" and "test" are searched. `zero_shot` names sets to
    classify as SET:SPLIT, "" being all of it; of those that are in `sets`, the split "val" is
    classified in validation. y are token ids [n, k, t] of k captions an item.

    Raises:
      ValueError: a set is not there, or an item of it has no caption.
    """
    root = pathlib.Path(folder)
    parts = {split: [_read(root / name, split) for name in sets] for split in _SPLITS}
    train = _joined(parts["train"], encode, size)
    is_matched = choose_matched(len(train), matched_fraction, seed=seed)
    matched, rest = _chosen(train, is_matched), _chosen(train, ~is_matched)
    asked = dict(one.split(":") for one in zero_shot)
    options = {"prompt": prompt, "excluded": excluded_labels, "encode": encode, "size": size}
    validation, test = (_joined(parts[split], encode, size) for split in ("val", "test"))
    about = About(
        encode=encode,
        cache=cache,
        validation_sources=np.repeat([*sets], [len(part) for part in parts["val"]]),
        test_sources=np.repeat([*sets], [len(part) for part in parts["test"]]),
        validation={
            name: _classified(root / name, "val", **options) for name in asked if name in sets
        },
        test={name: _classified(root / name, split, **options) for name, split in asked.items()},
    )
    unmatched_y = rest.y[own_order(len(rest), seed=seed)]
    return Dataset(matched, rest.x, unmatched_y, validation, test, about)


_SPLITS = ("train", "val", "test")
_Items = list[tuple[images.Image, list[str]]]  # images with their captions


def _read(folder: pathlib.Path, split: str) -> _Items:
    captions: dict[str, list[str]] = {}
    for text in texts.list_texts(folder, split):
        captions.setdefault(text.id, []).append(text.text)
    listed = images.list_images(folder, split)
    if missing := [image.id for image in listed if image.id not in captions]:
        raise ValueError(
            f"{len(missing)} images in {folder} have no caption, the first {missing[0]}: "
            "add captions to its metadata.jsonl, or take the images out."
        )
    return [(image, captions[image.id]) for image in listed]


def _joined(parts: list[_Items], encode: Encode, size: int) -> Pairs:
    items = [item for part in parts for item in part]
    most = max(len(captions) for _, captions in items)
    # An item with fewer captions than another has some of them again.
    every = [captions[k % len(captions)] for _, captions in items for k in range(most)]
    tokens = encode(every).reshape(len(items), most, -1)
    names = np.array([captions[0] for _, captions in items])
    return Pairs(ImageRows([image for image, _ in items], size), tokens, names)


def _chosen(items: Pairs, mask: np.ndarray) -> Pairs:
    rows: ImageRows = items.x
    kept = ImageRows([one for one, keep in zip(rows.listed, mask) if keep], rows.size)
    return Pairs(kept, items.y[mask], items.names[mask])


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
