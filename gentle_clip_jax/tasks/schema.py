"""Schema of a config: type, bounds, unit and default of each key; comments explain its purpose.

This file has the keys that all tasks share. Each task adds its own in `schema.py` of its folder and
may change defaults. `training/check.py` and the task's `check` compare keys with each other.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Text = Annotated[str, Meta(max_length=1000)]
Name = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\S")]
Folder = Annotated[Text, Meta(description="a folder")]
File = Annotated[Text, Meta(description="a file")]
Labels = Annotated[tuple[Name, ...], Meta(description="the names of classes")]
Sets = Annotated[tuple[Name, ...], Meta(description="the names of data sets")]
Splits = Annotated[tuple[Name, ...], Meta(description="each SET:SPLIT")]

Share = Annotated[float, Meta(ge=0, le=1, description="a share of all")]
Probability = Annotated[float, Meta(ge=0, le=1, description="a probability")]
Dropout = Annotated[float, Meta(ge=0, lt=1, description="a probability")]
Change = Annotated[float, Meta(ge=0, le=1, description="a relative change")]
Rate = Annotated[float, Meta(ge=0, le=10, description="a learning rate")]
Weight = Annotated[float, Meta(ge=0, le=1e6, description="a weight")]
# CLIP's logit scale ends at 1 / 0.01.
Temperature = Annotated[float, Meta(ge=0.01, le=100, description="a temperature")]
Pixels = Annotated[float, Meta(ge=0, le=4096, description="pixels")]

# jax.random.key takes 32 bits.
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1, description="a seed")]
Count = Annotated[int, Meta(ge=1, le=10**9)]
Steps = Annotated[Count, Meta(description="steps")]
Limit = Annotated[int, Meta(ge=0, le=10**9)]
BatchSize = Annotated[int, Meta(ge=0, le=2**24)]
Width = Annotated[int, Meta(ge=1, le=2**16, description="features")]
Depth = Annotated[int, Meta(ge=0, le=1000, description="blocks")]
Side = Annotated[int, Meta(ge=4, le=4096, description="pixels")]
Tokens = Annotated[int, Meta(ge=1, le=4096, description="tokens")]


class Model(Struct, frozen=True):
    """Keys of the heads; each task adds those of its towers."""

    embedding_dim: Width = 256  # method: arXiv 2406.05766, public demo
    head_dropout: Dropout = 0.1  # as above
    dtype: Literal["float32", "bfloat16"] = "float32"  # of the towers' matrix products


class Loss(Struct, frozen=True):
    """Weights of the loss; only gentle_clip and gentle_clip_official read the first six keys."""

    clip_weight: Weight = 1.0
    mmd_weight: Weight = 0.1
    sdd_weight: Weight = 1.0
    ssl_weight: Weight = 1.0
    ssl_temperature: Temperature = 0.1
    # arXiv 2406.05766
    sdd_bandwidth: Annotated[
        float, Meta(ge=1e-3, le=1e3, description="root mean squared distances of the rows")
    ] = 0.5
    temperature: Temperature = 0.07  # initial value; Radford et al., arXiv 2103.00020
    learn_temperature: bool = True


class Optimizer(Struct, frozen=True):
    """Settings of AdamW; each learning rate is the peak of its schedule."""

    tower_learning_rate: Rate = 2e-3
    head_learning_rate: Rate = 2e-3
    weight_decay: Annotated[float, Meta(ge=0, le=10, description="a rate of decay")] = 0.1
    max_grad_norm: Annotated[float, Meta(gt=0, le=1e9, description="the norm of a gradient")] = 1.0
    warmup_steps: Annotated[Limit, Meta(description="steps")] = 100


class Train(Struct, frozen=True):
    """Length of the training, batch sizes and checkpoints."""

    steps: Steps = 1000
    batch_matched: Annotated[BatchSize, Meta(description="pairs")] = 64
    batch_unmatched: Annotated[BatchSize, Meta(description="items")] = 64  # of each modality
    # Parts of a batch that pass through the towers one at a time.
    microbatches: Annotated[int, Meta(ge=1, le=2**24, description="parts of a batch")] = 1
    # Decay of the moving average of the weights; this average is evaluated.
    average_decay: Annotated[
        float, Meta(ge=0, lt=1, description="a share of the average that is kept")
    ] = 0.98
    keep_start: bool = False  # validate the initial parameters, and keep them if no step is better
    # Most steps with a non-finite loss or gradient before the run stops.
    max_skipped: Annotated[Limit, Meta(description="steps")] = 0
    # Most unreadable items before the run stops.
    max_damaged: Annotated[Limit, Meta(description="items")] = 0
    log_every: Steps = 20
    checkpoint_every: Steps = 200  # each checkpoint is validated


class Mesh(Struct, frozen=True):
    """Number of devices that split the parameters and the optimizer's state among them."""

    fsdp: Annotated[int, Meta(ge=1, le=64, description="devices")] = 1


class Encoder(Struct, frozen=True):
    """A pretrained tower, and the part of it that is trained."""

    # A packaged encoder, a folder, or a Hugging Face repository.
    encoder: Annotated[Text, Meta(description="the name of an encoder or its folder")] = ""
    # The last blocks, with all layers after them; 0: none, -1: all.
    trained_blocks: Annotated[int, Meta(ge=-1, le=1000, description="blocks")] = 2
    # Rank of low-rank updates (LoRA, arXiv 2106.09685) of the kernels below; 0: no updates.
    lora_rank: Annotated[int, Meta(ge=0, le=2**16, description="a rank")] = 0
    lora_kernels: Annotated[Text, Meta(description="a pattern of paths")] = "query|value"


class Config(Struct, frozen=True):
    """Keys of every task; each task adds `task`, `data` and `views`."""

    # One of gentle_clip_jax/losses/objectives.py.
    objective: Annotated[Text, Meta(description="the name of an objective")] = "gentle_clip"
    seed: Seed = 0  # of weights, batches, views, dropout and the choice of matched items
    model: Model = Model()
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    train: Train = Train()
    mesh: Mesh = Mesh()
