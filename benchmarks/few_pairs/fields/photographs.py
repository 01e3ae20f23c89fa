"""Photographs and their captions: Flickr8k, train split."""

from few_pairs.encoded import IMAGES, TEXTS, captioned
from few_pairs.protocol import Field


def load(data, cache):
    x, y, ids = captioned(data, cache, "flickr8k")
    metadata = "photographs and the mean of five captions (Flickr8k)"
    return Field(x, y, ids, metadata, (IMAGES, TEXTS), "research use")
