"""Schema of icon search: glyphs and the words of their names, towers trained from scratch."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gentle_clip_jax.tasks import schema
from gentle_clip_jax.tasks.schema import Count, Depth, Dropout, Pixels, Probability, Width


class Data(Struct, frozen=True):
    """Glyphs of icon fonts."""

    split_seed: schema.Seed = (
        0  # selects held-out stems; not `seed`, so that all seeds share a test set
    )
    matched_fraction: schema.Share = 0.1  # of the training icons of the Material font
    num_test: Annotated[Count, Meta(description="items")] = 700
    num_validation: Annotated[Count, Meta(description="items")] = 300
    # Zero-shot classes: the most frequent head words.
    num_classes: Annotated[Count, Meta(description="classes")] = 40
    # Byte-pair tokens, two of them special.
    vocab_size: Annotated[int, Meta(ge=3, le=10**6, description="tokens")] = 1500
    max_tokens: schema.Tokens = 12  # of a text; the longest training name has 11
    size: schema.Side = 32  # height and width


class ImageViews(Struct, frozen=True):
    """Random views of a glyph."""

    zoom: Annotated[float, Meta(ge=0, le=3, description="|log zoom|")] = 0.3  # largest zoom
    shift: Pixels = 3.0  # largest shift
    erase: Probability = 0.5  # of erasing a rectangle
    outline: Probability = 0.3  # of keeping only outlines
    # Largest change of a stroke's border.
    stroke: Annotated[float, Meta(ge=0, le=1, description="pixels")] = 0.7


class Views(Struct, frozen=True):
    """Random views; a text has none."""

    image: ImageViews = ImageViews()


class Transformer(Struct, frozen=True):
    """A transformer from scratch."""

    width: Width = 128
    depth: Depth = 0
    num_heads: Annotated[int, Meta(ge=1, le=2**16, description="heads")] = 4
    dropout: Dropout = 0.1


class ImageTower(Transformer, frozen=True):
    """A transformer on patches."""

    depth: Depth = 2
    patch_size: schema.Side = 8
    stem_width: Width = 64


class Model(schema.Model, frozen=True):
    """Two small towers."""

    image: ImageTower = ImageTower()
    text: Transformer = Transformer()


class Config(schema.Config, frozen=True):
    """Config of icon search, the quickstart."""

    task: Literal["icons"] = "icons"
    data: Data = Data()
    views: Views = Views()
    model: Model = Model()
