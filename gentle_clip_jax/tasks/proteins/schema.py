"""Schema of protein sequences and structures: towers that embed each residue."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gentle_clip_jax.tasks import schema
from gentle_clip_jax.tasks.schema import Count, Depth, Dropout, Width

_RESIDUES = Meta(description="residues")


class Data(Struct, frozen=True):
    """A folder of domains, or sequences and structures of your own."""

    folder: schema.Folder = "data/pdb-domains-3d"  # or "" and both of the following
    fasta: schema.File = ""  # sequences
    structures: schema.Folder = ""  # PDB and mmCIF files; equal ids are pairs
    pairs: schema.File = ""  # else a CSV with the ids of a sequence and of its structure per line
    matched_fraction: schema.Share = 0.1  # of the training domains; not used with `pairs`
    # disjoint: no unmatched item has its partner in the other set.
    unmatched: Literal["shuffled", "disjoint"] = "shuffled"
    # Length of a training item.
    window: Annotated[int, Meta(ge=4, le=10**9), _RESIDUES] = 96
    # Length of a view and of a retrieved crop.
    crop: Annotated[int, Meta(ge=4, le=10**5), _RESIDUES] = 64
    stride: Annotated[Count, _RESIDUES] = 32  # between the starts of windows
    most_neighbours: Annotated[int, Meta(ge=1, le=10**4), _RESIDUES] = 40  # of a residue
    # Largest distance of a neighbour.
    cutoff: Annotated[float, Meta(gt=0, le=1e4, description="Angstrom")] = 12.0


class SequenceViews(Struct, frozen=True):
    """Random views of a sequence."""

    mask: Dropout = 0.1  # probability that a residue is hidden


class StructureViews(Struct, frozen=True):
    """Random views of a structure."""

    # Standard deviation of the noise on coordinates.
    noise: Annotated[float, Meta(ge=0, le=100, description="Angstrom")] = 0.1
    mask: Dropout = 0.1  # probability that a state of a string is hidden


class Views(Struct, frozen=True):
    """Random views of both modalities."""

    sequence: SequenceViews = SequenceViews()
    structure: StructureViews = StructureViews()


class StructureTower(Struct, frozen=True):
    """A tower from scratch."""

    width: Width = 64
    depth: Depth = 1
    dropout: Dropout = 0.2


class SequenceTower(StructureTower, frozen=True):
    """Convolutions along the sequence."""

    reach: Annotated[int, Meta(ge=0, le=1000), _RESIDUES] = 3


class Model(schema.Model, frozen=True):
    """Two towers; a published encoder, if one is named, replaces the sequence tower."""

    embedding_dim: Width = 32  # of a residue, and of the summary of a domain
    sequence: SequenceTower = SequenceTower()
    structure: StructureTower = StructureTower()
    language: schema.Encoder = schema.Encoder(trained_blocks=0)
    start: Literal["random", "cca", "transported_cca"] = (
        "transported_cca"  # initial maps of summaries
    )


class Loss(schema.Loss, frozen=True):
    """Loss on the summaries, and one more term on the residues."""

    temperature: schema.Temperature = 0.02  # a row is the mean of many residues
    residue_weight: schema.Weight = 1.0
    residue_temperature: schema.Temperature = 0.3


class Optimizer(schema.Optimizer, frozen=True):
    """Settings of AdamW, with a learning rate for the trained part of a published tower."""

    tower_learning_rate: schema.Rate = 3e-3
    head_learning_rate: schema.Rate = 1e-4
    language_learning_rate: schema.Rate = 1e-3
    warmup_steps: Annotated[schema.Limit, Meta(description="steps")] = 30


class Config(schema.Config, frozen=True):
    """Config of proteins: Gentle-CLIP's terms on summaries of whole domains."""

    task: Literal["proteins"] = "proteins"
    data: Data = Data()
    views: Views = Views()
    model: Model = Model()
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    train: schema.Train = schema.Train(
        steps=300, batch_matched=16, batch_unmatched=16, checkpoint_every=150
    )
