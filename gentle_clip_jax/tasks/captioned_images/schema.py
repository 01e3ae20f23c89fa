"""Schema of captioned images: pretrained towers whose last blocks are trained."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gentle_clip_jax.tasks import schema
from gentle_clip_jax.tasks.schema import Change, Probability, Text

_Source = Annotated[Text, Meta(description="a folder or a file")]


class Data(Struct, frozen=True):
    """Data sets with captions, or images and texts that are paired by a file."""

    # A folder for each set, with images and metadata.jsonl; see docs/train_encoders.md.
    folder: schema.Folder = "data"
    sets: schema.Sets = ()  # trained on their split "train", evaluated on "val" and "test"
    # Instead of sets, all three: images, texts, and a CSV of the matched pairs, with the ids of an
    # image and of its text on each line.
    images: _Source = ""
    texts: _Source = ""
    pairs: schema.File = ""
    zero_shot: schema.Splits = ()  # sets to classify; "SET:" means all splits
    excluded_labels: schema.Labels = ()  # classes that are left out
    # Text that stands for a class.
    prompt: Annotated[Text, Meta(pattern=r"\{label\}", description="with {label} in it")] = (
        "a photo of a {label}"
    )
    matched_fraction: schema.Share = 0.1  # of the training items of `sets`; not used with `pairs`
    size: schema.Side = 128  # height and width
    max_tokens: schema.Tokens = 32  # of a caption


class ImageViews(Struct, frozen=True):
    """Random views of a photograph; 0 turns a change off."""

    # Largest share that is cut off.
    crop: Annotated[float, Meta(ge=0, lt=1, description="a share of the area")] = 0.3
    flip: Probability = 0.5  # of mirroring left and right
    turn: Probability = 0.0  # of a rotation by 90, 180 or 270 degrees
    brightness: Change = 0.2  # largest change, also of the contrast
    contrast: Change = 0.2


class Views(Struct, frozen=True):
    """Random views; a text's is one of its captions."""

    image: ImageViews = ImageViews()


class Model(schema.Model, frozen=True):
    """Two pretrained towers."""

    image: schema.Encoder = schema.Encoder(encoder="efficientnet-lite0")
    text: schema.Encoder = schema.Encoder(encoder="minilm")
    # Initial heads.
    start: Literal["random", "identity", "cca", "transported_cca"] = "transported_cca"


class Config(schema.Config, frozen=True):
    """Fine-tuning of published weights with low learning rates and few steps."""

    task: Literal["captioned_images"] = "captioned_images"
    data: Data = Data()
    views: Views = Views()
    model: Model = Model()
    optimizer: schema.Optimizer = schema.Optimizer(
        tower_learning_rate=1e-4, head_learning_rate=1e-4, warmup_steps=20
    )
    train: schema.Train = schema.Train(steps=200, checkpoint_every=50, keep_start=True)
