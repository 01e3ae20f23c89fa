"""Words or a file through the encoder that made the features of an aligner, or a run's towers."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.data import images, published_tokens
from gentle_clip_jax.data.texts import Text
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.features.embedder import Stacked
from gentle_clip_jax.features.work import image_work, role_of, sequence_work, text_work
from gentle_clip_jax.searching.opened import Opened

_WORDS = ("text", "sequence")


class QueryEncoder(NamedTuple):
    """An encoder that stays loaded.

    side: "x" or "y", whose features it makes. embed: from words, or of an image the bytes of its
    file, to features [1, d].
    """

    side: str
    embed: Callable[[Any], np.ndarray]


def encoder_of_words(opened: Opened, first: str) -> QueryEncoder:
    """The encoder that reads words: that of the side `first`, or else of the other.

    Raises:
      ValueError: neither reads words, it is not known, or its weights are others now.
    """
    if opened.towers is not None:
        return QueryEncoder(opened.towers.run.task.TYPED, opened.towers.of_words)
    sides = (first, "y" if first == "x" else "x")
    for side in sides:
        if _role(opened, side) in _WORDS:
            return _loaded(opened, side)
    if all(opened.encoder(side) is None for side in sides):
        raise ValueError(
            f"{opened.path} does not know which encoder made its features: fit it to folders of "
            "gentle-clip encode to search by words, or search by --like=ID."
        )
    raise ValueError(f"No encoder of {opened.path} reads words: search by --like=ID or a file.")


def features_of_file(opened: Opened, path: pathlib.Path) -> tuple[str, np.ndarray]:
    """The side that a file is of, an image by its ending or else words, and its features [1, d].

    Raises:
      ValueError: no encoder takes it, or its weights are others now.
    """
    if opened.towers is not None:
        return opened.towers.of_file(path)
    if path.suffix.lower() not in images.SUFFIXES:
        encoder = encoder_of_words(opened, "y")
        return encoder.side, encoder.embed(path.read_text(encoding="utf-8"))
    for side in "xy":
        if _role(opened, side) == "image":
            return side, _loaded(opened, side).embed(path.read_bytes())
    raise ValueError(f"No encoder of {opened.path} takes images such as {path}.")


def _role(opened: Opened, side: str) -> str | None:
    about = opened.encoder(side)
    return None if about is None else role_of(about["encoder"], about["role"])


def _loaded(opened: Opened, side: str) -> QueryEncoder:
    about, role = opened.encoder(side) or {}, _role(opened, side)
    name, layers = about["encoder"], about.get("layers")
    if role == "image":
        work = image_work([], 1, name, layers, about.get("views"))
        prepare: Callable[[Any], list[Any]] = _image
    elif role == "text":
        work = text_work([Text("query", None, None, "words")], 1, name, layers)
        prepare = _tokens(name, work.about["max_tokens"])
    else:
        work = sequence_work({}, 1, name, layers)
        prepare = _sequence
    if work.about["weights_sha256"] != about["weights_sha256"]:
        raise ValueError(
            f"The weights of {name} are not those that made the features {opened.path} was fitted "
            "to: install the same, or encode again and align again."
        )
    embed = work.load()
    return QueryEncoder(side, lambda query: _features(embed(work.decode(prepare(query), [None]))))


def _features(batches: Iterator[Stacked]) -> np.ndarray:
    features, reasons = next(batches)
    if reasons[0] is not None:
        raise ValueError(f"There is nothing to search for: the query {reasons[0]}.")
    return features


def _image(data: bytes) -> list[Any]:
    return [images.Image("query", None, None, lambda: data)]


def _sequence(words: str) -> list[Any]:
    return ["".join(words.split()).upper()]


def _tokens(encoder: str, most: int) -> Callable[[Any], list[Any]]:
    tokenizer = published_tokens.read_tokenizer(pretrained.folder(encoder))
    return lambda words: tokenizer.encode([words], most)[0]
