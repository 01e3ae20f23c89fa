"""The class names of an image encoder as texts for a text encoder."""

import importlib.resources
from collections.abc import Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.encoders.published.torch_files import read_pth
from gentle_clip_jax.features.loading import load_encoder

_CLASSIFIES = "efficientnet-lite0"  # the encoder that comes with its classifier
_PROMPT = "a photo of a {}"
Encoder = Mapping[str, Any] | None  # of a folder of `encode`, see `Side.encoder`


def encoder_classes(x: Encoder, y: Encoder, *, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classifier [1000, width] of x's encoder, and y features [1000, dy] of its classes.

    A class's features are the mean of those of "a photo of a NAME" and of its definition.

    Args:
      x: the encoder that made x.
      y: the encoder that made y.
      width: how many features a row of x has.

    Raises:
      ValueError: x's encoder has no listed classes, y's reads no text, or its weights are others.
    """
    if x is None or x["encoder"] != _CLASSIFIES:
        raise ValueError(
            f"--classes=encoder is for images that were encoded by {_CLASSIFIES}, whose classes "
            "are known: encode x with it, or leave --classes out."
        )
    if y is None or pretrained.role_of(y["encoder"], y["role"]) != "text":
        raise ValueError(
            "--classes=encoder is for texts, as an encoder of texts says what classes are called: "
            "encode y with one, such as minilm, or leave --classes out."
        )
    classifier = _classifier()
    # Rich features begin with those that the classifier sees.
    classifier = np.pad(classifier, ((0, 0), (0, width - classifier.shape[1])))
    return classifier, _features_of_names(y)


def imagenet() -> list[tuple[str, str]]:
    """Return the name and definition of the 1,000 classes of ImageNet, in its classifiers' order.

    Source: WordNet 3.0, Princeton University; its licence is beside the file.
    """
    file = importlib.resources.files("gentle_clip_jax.features") / "imagenet_classes.tsv"
    lines = (line.split("\t") for line in file.read_text("utf-8").splitlines())
    return [(names.partition(",")[0], definition) for names, definition in lines]


def _classifier() -> np.ndarray:
    return read_pth(pretrained.efficientnet_lite0().path)["_fc.weight"]


def _features_of_names(y: Mapping[str, Any]) -> np.ndarray:
    classes = imagenet()
    sentences = [_PROMPT.format(name) for name, _ in classes] + [text for _, text in classes]
    encoder = load_encoder(y["encoder"], role="text", layers=y.get("layers"))
    if encoder.metadata["weights_sha256"] != y["weights_sha256"]:
        raise ValueError(
            f"The weights of {y['encoder']} are not those that made the features of y: encode them "
            "again."
        )
    rows = encoder(sentences)
    return (rows[: len(classes)] + rows[len(classes) :]) / 2
