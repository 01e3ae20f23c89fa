"""Proteins: x are sequences, y structures; both towers embed each residue."""

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gentle_clip_jax import evaluation
from gentle_clip_jax.data.batches import Dataset, Items, count, take
from gentle_clip_jax.encoders.protein_sequence import SequenceEncoder
from gentle_clip_jax.encoders.protein_structure import StructureEncoder
from gentle_clip_jax.encoders.residues import ResidueHead, parts
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.evaluation.intervals import Interval
from gentle_clip_jax.losses.objectives import Objective, Terms
from gentle_clip_jax.losses.residue import residue_loss
from gentle_clip_jax.tasks.check_keys import check_trained
from gentle_clip_jax.tasks.embedding import embed
from gentle_clip_jax.tasks.proteins import data as protein_data
from gentle_clip_jax.tasks.proteins import language, measures, own
from gentle_clip_jax.tasks.proteins.start import from_pairs
from gentle_clip_jax.tasks.proteins.views import are_backbones
from gentle_clip_jax.tasks.proteins.views import views as views
from gentle_clip_jax.tasks.raw import Modality, Raw
from gentle_clip_jax.tasks.rows import Rows, embedded

MODALITIES = ("sequence", "structure")
HEADLINE = "mean_of_mrr_and_transfer"
TYPED = "x"
_CHUNK = 32  # items that are embedded at once
_PART = 512  # items with whole rows in memory at once


def check(config: ml_collections.ConfigDict) -> None:
    """Raise ValueError if keys contradict each other."""
    data = config.data
    if not data.crop <= data.window:
        raise ValueError(
            f"config.data.crop={data.crop} must be at most config.data.window={data.window}."
        )
    own = (data.fasta, data.structures)
    if any(own) != all(own) or not (data.folder or any(own)) or (data.pairs and not any(own)):
        raise ValueError(
            "Set config.data.folder, or both config.data.fasta and config.data.structures; "
            "config.data.pairs needs both of them."
        )
    if config.model.language.encoder:
        check_trained(config.model.language, "config.model.language")


def load_data(config: ml_collections.ConfigDict, workdir: Any) -> Dataset:
    """Return the domains of config.data.folder, or a user's own sequences and structures."""
    settings = dict(config.data)
    source = {name: settings.pop(name) for name in ("folder", "fasta", "structures", "pairs")}
    settings |= (
        {"matched_fraction": 1.0} if source["pairs"] else {}
    )  # a file lists all of its pairs
    proteins = protein_data.read(**source, seed=config.seed)
    return protein_data.load_data(proteins, seed=config.seed, **settings)


def build_model(config: ml_collections.ConfigDict, dataset: Dataset) -> TwoTowers:
    """Return the towers and heads of the config; strings of states get a sequence tower."""
    dtype, dim = jnp.dtype(config.model.dtype), config.model.embedding_dim
    heads = (ResidueHead(dim, config.model.head_dropout) for _ in range(2))
    of_strings = functools.partial(SequenceEncoder, dim, **config.model.sequence, dtype=dtype)
    of_backbones = functools.partial(StructureEncoder, dim, **config.model.structure, dtype=dtype)
    return TwoTowers(
        language.tower(config) if config.model.language.encoder else of_strings(),
        of_backbones() if are_backbones(dataset.validation.y) else of_strings(),
        *heads,
        init_temperature=config.loss.temperature,
    )


def init_params(config: ml_collections.ConfigDict, dataset: Dataset, model: TwoTowers) -> Any:
    """Return random towers, and heads that are random or fitted to the pairs (model.start).

    A language model has its published weights.
    """
    first = slice(0, 1)
    rows = jax.tree.map(
        jnp.asarray, (dataset.validation.x[first], take(dataset.validation.y, first))
    )
    params = jax.jit(model.init)(jax.random.key(config.seed), *rows)["params"]
    if config.model.language.encoder:
        params = language.with_published(config, model, params)
    if config.model.start == "random":
        return params
    return from_pairs(model, params, dataset, config.model.start)


def loss(
    rows: Rows,
    temperature: jax.Array,
    objective: Objective,
    settings: Mapping[str, Any],
    model: TwoTowers,
) -> tuple[jax.Array, Terms]:
    """Return the objective plus a term on the residues of pairs.

    Pairs are contrasted by whole rows; all other terms see only summaries.

    Rows are those of `ResidueHead`.
    """
    (x, residues_x), (y, residues_y) = (parts(z, model.x_head.dim) for z in (rows.x, rows.y))
    matched = slice(rows.num_matched)
    teacher = rows.teacher and tuple(parts(z, model.x_head.dim)[0] for z in rows.teacher)
    of_sets = embedded(rows._replace(x=x, y=y, teacher=teacher))
    of_both = of_sets._replace(pair_x=rows.x[matched], pair_y=rows.y[matched])
    total, terms = objective(of_both, temperature=temperature)
    if settings["residue_weight"]:
        residues_x, residues_y = residues_x[matched], residues_y[matched]
        present = jnp.any(residues_x != 0, axis=-1) & jnp.any(residues_y != 0, axis=-1)
        residue = residue_loss(
            residues_x, residues_y, temperature=settings["residue_temperature"], where=present
        )
        terms = {**terms, "residue": residue}
        total = total + settings["residue_weight"] * residue
    return total, terms


def validate(model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, float]:
    """Return metrics of the validation domains: retrieval of crops and transfer of labels.

    `HEADLINE` is the mean of crop_mrr and, if there are labels, the transfer of the first kind.
    """
    (figures,) = _measure(
        model, params, dataset, dataset.validation, dataset.metadata.validation
    ).values()
    values = {name: float(np.mean(one)) for name, one in figures.items()}
    chosen = ["crop_mrr", *(name for name in values if name.endswith("_transfer"))][:2]
    return values | {HEADLINE: float(np.mean([values[name] for name in chosen]))}


def evaluate(model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, Any]:
    """Return the same metrics of the test domains, with intervals.

    With several sets, return the metrics of each and their means.
    """
    sets = {
        split: {name: _interval(one) for name, one in figures.items()}
        for split, figures in _measure(
            model, params, dataset, dataset.test, dataset.metadata.test
        ).items()
    }
    means = evaluation.mean_intervals(sets)
    return means if len(sets) == 1 else means | evaluation.by_set(sets)


def _interval(of_queries: np.ndarray) -> Interval:
    """Return the mean over queries [n], with its interval."""
    intervals = evaluation.bootstrap_intervals(
        lambda n: {"mean": n @ of_queries / n.sum(-1)}, len(of_queries)
    )
    return intervals["mean"]


def embed_x(
    model: TwoTowers, params: Any, dataset: Dataset, items: np.ndarray | Sequence[str]
) -> np.ndarray:
    """Return the unit rows [n, d] of the centres of sequences, or of their tokens [n, crop]."""
    if not isinstance(items, np.ndarray):
        items = own.centres(items, dataset.metadata.crop)
    return _crops(model, params, items, "x")


def embed_y(model: TwoTowers, params: Any, dataset: Dataset, items: Items) -> np.ndarray:
    """Return the unit rows [n, d] of structures, each cropped as in the data set."""
    return _crops(model, params, items, "y")


def test_items(dataset: Dataset) -> tuple[Items, Items]:
    """Return the test crops."""
    return dataset.test.x, dataset.test.y


def pictures(dataset: Dataset) -> np.ndarray:
    """Return pictures of the test crops' structures, uint8 [n, crop, crop], where 255 is darkest.

    Backbones are shown by their distances, near residues darkest; strings by stripes, helices
    darkest.
    """
    if are_backbones(dataset.test.y):
        ca = np.nan_to_num(dataset.test.y["backbone"][:, :, 1])
        light = 8 * np.linalg.norm(ca[:, :, None] - ca[:, None], axis=-1)
    else:
        light = np.repeat(24 * dataset.test.y[:, None], dataset.test.y.shape[1], axis=1)
    return np.clip(255 - light, 0, 255).astype(np.uint8)


def read(
    config: ml_collections.ConfigDict, dataset: Dataset, modality: Modality, path: pathlib.Path
) -> Raw:
    """Return a user's own sequences from a FASTA file, or structures from a folder.

    If the run's structures are strings of states, they are read from FASTA, too.
    """
    near = {"most": config.data.most_neighbours, "cutoff": config.data.cutoff}
    return own.read(
        path, modality, near if are_backbones(dataset.test.y) else None, dataset.metadata.crop
    )


def _crops(model: TwoTowers, params: Any, items: Items, modality: Any) -> np.ndarray:
    return embed(model, params, items, modality, chunk=_CHUNK)


def _measure(
    model: TwoTowers,
    params: Any,
    dataset: Dataset,
    items: Any,
    sets: dict[str, protein_data.Domains],
) -> dict[str, dict[str, np.ndarray]]:
    """Return, for each set, each metric [n] of its n queries by name."""
    x, y = _crops(model, params, items.x, "x"), _crops(model, params, items.y, "y")
    train, figures_of_sets = dataset.metadata.train, {}
    sequences = _summaries(model, params, train.tokens, "x")
    for split, one in sets.items():
        rows, labelled = one.retrieved, one.labelled
        figures = measures.crop_figures(x[rows], y[rows], one.lengths, one.distinct)
        structures = _summaries(model, params, labelled.structures, "y")
        for kind, labels in labelled.labels.items():
            seen, asked = train.labels[kind] != "", labels != ""
            if seen.any() and asked.any():
                figures[f"{kind}_transfer"] = measures.transferred(
                    sequences[seen], train.labels[kind][seen], structures[asked], labels[asked]
                ).astype(float)
        figures_of_sets[split] = figures
    return figures_of_sets


def _summaries(model: TwoTowers, params: Any, groups: list[Items], modality: Any) -> np.ndarray:
    """Return embeddings [n, d] of whole domains: the first part of each row, the summary."""
    dim = model.x_head.dim
    rows = [
        # The whole rows of all domains together would need much memory.
        _crops(model, params, take(items, slice(start, start + _PART)), modality)[:, :dim]
        for items in groups
        for start in range(0, count(items), _PART)
    ]
    return np.concatenate([np.zeros((0, dim), np.float32), *rows])
