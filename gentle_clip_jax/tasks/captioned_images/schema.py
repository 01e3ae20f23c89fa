"""Keys of photographs and captions: pretrained towers, of which the last blocks are trained."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gentle_clip_jax.tasks import schema
from gentle_clip_jax.tasks.schema import Change, Probability, Text

_Source = Annotated[Text, Meta(description="a folder or a file")]


class Data(Struct, frozen=True):
    """Data sets whose captions are given, or images and texts that are paired by a file."""

    folder: schema.Folder = (
        "data"  # has a folder for each set: images, metadata.jsonl; docs/data.md
    )
    sets: schema.Sets = ()  # their split "train" is learned from, "val" and "test" are searched
    # In place of sets, all three: images, texts, and a CSV of the matched pairs, whose lines are an
    # image's id and a text's.
    images: _Source = ""
    texts: _Source = ""
    pairs: schema.File = ""
    zero_shot: schema.Splits = ()  # sets to classify; SET: is all of it
    excluded_labels: schema.Labels = ()  # classes that are left out
    # Of a class.
    prompt: Annotated[Text, Meta(pattern=r"\{label\}", description="with {label} in it")] = (
        "a photo of a {label}"
    )
    matched_fraction: schema.Share = 0.1  # of the sets' training items; a file of pairs has its own
    size: schema.Side = 128  # height and width
    max_tokens: schema.Tokens = 32  # of a caption


class ImageViews(Struct, frozen=True):
    """Random views of a photograph; 0 switches a change off."""

    # Largest part that is cut off.
    crop: Annotated[float, Meta(ge=0, lt=1, description="a share of the area")] = 0.3
    stretch: Annotated[float, Meta(ge=0, le=3, description="|log of width to height|")] = 0.0
    flip: Probability = 0.5  # of exchanging left and right
    vertical_flip: Probability = 0.0  # of exchanging top and bottom
    turn: Probability = 0.0  # of a turn by right angles
    blur: schema.Pixels = 0.0  # largest standard deviation
    brightness: Change = 0.2  # largest, as the next two
    contrast: Change = 0.2
    saturation: Change = 0.0
    hue: Annotated[float, Meta(ge=0, le=180, description="degrees")] = 0.0  # largest turn
    grey: Probability = 0.0  # of losing all colour


class Views(Struct, frozen=True):
    """Random views of both modalities."""

    image: ImageViews = ImageViews()
    text: schema.TextViews = schema.TextViews()


class Model(schema.Model, frozen=True):
    """Two pretrained towers."""

    image: schema.Encoder = schema.Encoder(encoder="efficientnet-lite0")
    text: schema.Encoder = schema.Encoder(encoder="minilm")
    # Of the heads.
    start: Literal["random", "identity", "cca", "transported_cca"] = "transported_cca"


class Config(schema.Config, frozen=True):
    """Fine-tuning of published weights, with small steps and few of them."""

    task: Literal["captioned_images"] = "captioned_images"
    data: Data = Data()
    views: Views = Views()
    model: Model = Model()
    optimizer: schema.Optimizer = schema.Optimizer(
        tower_learning_rate=1e-4, head_learning_rate=1e-4, warmup_steps=20
    )
    train: schema.Train = schema.Train(steps=200, checkpoint_every=50, keep_start=True)
