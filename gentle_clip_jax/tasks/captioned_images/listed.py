"""Lists of matched, held-out and unmatched images and captions, from data sets or two paths."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from gentle_clip_jax.data import images, texts
from gentle_clip_jax.data.pairing import choose_matched, hold_out_fifths, own_order
from gentle_clip_jax.data.pairs import read_pairs

Captions = list[str]  # of one item
Captioned = list[tuple[images.Image, Captions]]

_SPLITS = ("train", "val", "test")
_FEWEST = 5  # pairs: one to validate on, one to test on, three to learn from


class Listed(NamedTuple):
    """Images and texts, before they are read.

    unmatched_images and unmatched_captions are unrelated lists, each in its own order. validation,
    test: items by the name of their data set.
    """

    matched: Captioned
    unmatched_images: list[images.Image]
    unmatched_captions: list[Captions]
    validation: dict[str, Captioned]
    test: dict[str, Captioned]


def of_sets(
    folder: pathlib.Path, sets: Sequence[str], matched_fraction: float, *, seed: int
) -> Listed:
    """Return the items of folder/SET; a seeded fraction of the split "train" is matched.

    Raises:
      ValueError: a set does not exist, or one of its images has no caption.
    """
    train = [item for name in sets for item in _of_set(folder / name, "train")]
    is_matched = choose_matched(len(train), matched_fraction, seed=seed)
    rest = [item for item, matched in zip(train, is_matched) if not matched]
    validation, test = (
        {name: _of_set(folder / name, split) for name in sets} for split in ("val", "test")
    )
    return Listed(
        [item for item, matched in zip(train, is_matched) if matched],
        [image for image, _ in rest],
        [rest[row][1] for row in own_order(len(rest), seed=seed)],
        validation,
        test,
    )


def of_two_places(
    of_images: pathlib.Path, of_texts: pathlib.Path, pairs: pathlib.Path, *, seed: int
) -> Listed:
    """Return images and texts, paired by a file: an image's id and a text's id on each line.

    A pair belongs to the split of its image, else to that of its text, else to "train". If no pair
    belongs to "val" or "test", a random fifth of the pairs is held out for each. Items without a
    partner are unmatched; those of "val" or "test" are left out.

    Raises:
      ValueError: a file cannot be read or has an unknown or repeated id; there are fewer than five
        pairs, or one of the three splits has no pair.
    """
    listed, captioned = images.list_images(of_images), _sound_texts(of_texts)
    captions: dict[str, Captions] = {}
    for text in captioned:
        captions.setdefault(text.id, []).append(text.text)
    splits = {text.id: text.split for text in captioned}
    partner = dict(read_pairs(pairs, (image.id for image in listed), captions).tolist())
    if len(partner) < _FEWEST:
        raise ValueError(
            f"{pairs} has {len(partner)} pairs: add more; training and evaluation need at least "
            f"{_FEWEST}."
        )
    paired = [image for image in listed if image.id in partner]
    parts = _parted(
        [image.split or splits[partner[image.id]] or "train" for image in paired], pairs, seed
    )
    train, validation, test = (
        [(paired[row], captions[partner[paired[row].id]]) for row in rows] for rows in parts
    )
    taken = {*partner.values()}
    unmatched = [
        name for name, split in splits.items() if name not in taken and _learned_from(split)
    ]
    return Listed(
        train,
        [one for one in listed if one.id not in partner and _learned_from(one.split)],
        [captions[unmatched[row]] for row in own_order(len(unmatched), seed=seed)],
        {of_images.name: validation},
        {of_images.name: test},
    )


def _of_set(folder: pathlib.Path, split: str) -> Captioned:
    captions: dict[str, Captions] = {}
    for text in texts.list_texts(folder, split):
        captions.setdefault(text.id, []).append(text.text)
    listed = images.list_images(folder, split)
    if missing := [image.id for image in listed if image.id not in captions]:
        raise ValueError(
            f"{len(missing)} images in {folder} have no caption, such as {missing[0]}: add "
            "captions to its metadata.jsonl or remove the images. For images and texts with "
            "unknown partners, set config.data.images, texts and pairs instead."
        )
    return [(image, captions[image.id]) for image in listed]


def _sound_texts(data: pathlib.Path) -> list[texts.Text]:
    captions = texts.list_texts(data)
    for text in captions:
        if flaw := text.flaw or (None if text.text else "has no text"):
            raise ValueError(f"The text {text.id} of {data} {flaw}: fix it or remove it.")
    return captions


def _learned_from(split: str | None) -> bool:
    return split in (None, "train")


def _parted(splits: list[str], pairs: pathlib.Path, seed: int) -> list[list[int]]:
    """Return the numbers of the pairs to train, validate and test on, each in order."""
    if not {"val", "test"} & {*splits}:
        for name, rows in zip(("val", "test"), hold_out_fifths(len(splits), seed=seed)):
            for row in rows:
                splits[row] = name
    parts = [[k for k, one in enumerate(splits) if one == name] for name in _SPLITS]
    if lacking := [name for name, rows in zip(_SPLITS, parts) if not rows]:
        raise ValueError(
            f"No pair of {pairs} belongs to the split {lacking[0]}: give pairs of all three, "
            f"{', '.join(_SPLITS)}, or no splits at all to hold out a random fifth for each."
        )
    return parts
