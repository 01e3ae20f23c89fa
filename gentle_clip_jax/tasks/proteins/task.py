"""Proteins: x are sequences, y structures; both towers work residue by residue, from scratch."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gentle_clip_jax import evals, losses
from gentle_clip_jax.data.batches import Items, Task, count, take
from gentle_clip_jax.encoders.protein_sequence import SequenceEncoder
from gentle_clip_jax.encoders.protein_structure import StructureEncoder
from gentle_clip_jax.encoders.residues import ResidueHead, parts
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.evals.bootstrap import Interval
from gentle_clip_jax.losses.residue import residue_loss
from gentle_clip_jax.tasks.embedding import embed
from gentle_clip_jax.tasks.objective import gentle_clip
from gentle_clip_jax.tasks.proteins import data as protein_data
from gentle_clip_jax.tasks.proteins import domains, language, measures
from gentle_clip_jax.tasks.proteins.start import STARTS, from_pairs
from gentle_clip_jax.tasks.proteins.views import are_backbones
from gentle_clip_jax.tasks.proteins.views import views as views

HEADLINE = "mean_of_mrr_and_transfer"
_CHUNK = 32  # items that are embedded at once
_PART = 512  # items whose whole rows are held at once


def check(config: ml_collections.ConfigDict) -> None:
    """Raises ValueError where keys contradict each other."""
    data, dim = config.data, config.model.embedding_dim
    if not data.crop <= data.window:
        raise ValueError(
            f"config.data.crop={data.crop} must be at most config.data.window={data.window}."
        )
    if config.loss.residue_dim != dim:
        raise ValueError(
            f"config.loss.residue_dim={config.loss.residue_dim} and config.model.embedding_dim="
            f"{dim} must be the same."
        )
    if config.model.start not in STARTS:
        raise ValueError(
            f"config.model.start must be one of {', '.join(STARTS)}, not {config.model.start}."
        )


def load_task(config: ml_collections.ConfigDict, workdir: Any) -> Task:
    """The domains of config.data.folder, or sequences and structures of the user's own."""
    settings = dict(config.data)
    source = {name: settings.pop(name) for name in ("folder", "fasta", "structures")}
    proteins = protein_data.read(**source, seed=config.seed)
    return protein_data.load_task(proteins, seed=config.seed, **settings)


def build_model(config: ml_collections.ConfigDict, task: Task) -> TwoTowers:
    """Both towers and heads, as the config describes them; a string has a tower like a sequence."""
    dtype, dim = jnp.dtype(config.model.dtype), config.model.embedding_dim
    heads = (ResidueHead(dim, config.model.head_dropout) for _ in range(2))
    of_strings = functools.partial(SequenceEncoder, dim, **config.model.sequence, dtype=dtype)
    of_backbones = functools.partial(StructureEncoder, dim, **config.model.structure, dtype=dtype)
    return TwoTowers(
        language.tower(config) if config.model.language.encoder else of_strings(),
        of_backbones() if are_backbones(task.validation.y) else of_strings(),
        *heads,
        init_temperature=config.loss.temperature,
    )


def init_params(config: ml_collections.ConfigDict, task: Task, model: TwoTowers) -> Any:
    """Random towers; the heads' maps of summaries random, or a closed form's of the pairs.

    A language model has its published weights.
    """
    first = slice(0, 1)
    rows = jax.tree.map(jnp.asarray, (task.validation.x[first], take(task.validation.y, first)))
    params = jax.jit(model.init)(jax.random.key(config.seed), *rows)["params"]
    if config.model.language.encoder:
        params = language.with_published(config, model, params)
    if config.model.start == "random":
        return params
    return from_pairs(model, params, task, config.model.start)


def objective(
    x: jax.Array,
    y: jax.Array,
    temperature: jax.Array,
    num_matched: int,
    config: ml_collections.ConfigDict,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """CLIP of whole rows; MMD, SDD and SSL of summaries; a contrastive term of pairs' residues.

    Rows are those of `ResidueHead`; `config` is config.loss.
    """
    sides = [parts(rows, config.residue_dim) for rows in (x, y)]
    of_sets = ml_collections.ConfigDict({**config.to_dict(), "clip_weight": 0.0})
    total, terms = gentle_clip(sides[0][0], sides[1][0], temperature, num_matched, of_sets)
    if config.clip_weight:
        pairs = x[:num_matched], y[:num_matched]
        terms = {**terms, "clip": losses.clip_loss(*pairs, temperature=temperature)}
        total = total + config.clip_weight * terms["clip"]
    if config.residue_weight:
        residues_x, residues_y = (residues[:num_matched] for _, residues in sides)
        known = jnp.any(residues_x != 0, axis=-1) & jnp.any(residues_y != 0, axis=-1)
        residue = residue_loss(
            residues_x, residues_y, temperature=config.residue_temperature, where=known
        )
        terms = {**terms, "residue": residue}
        total = total + config.residue_weight * residue
    return total, terms


def validate(model: TwoTowers, params: Any, task: Task) -> dict[str, float]:
    """Retrieval of crops and transfer of labels on the validation domains.

    `HEADLINE` chooses checkpoints: the mean of crop_mrr and, if there are labels, the transfer of
    the first kind.
    """
    (figures,) = _measure(model, params, task, task.validation, task.about.validation).values()
    values = {name: float(np.mean(one)) for name, one in figures.items()}
    chosen = ["crop_mrr", *(name for name in values if name.endswith("_transfer"))][:2]
    return values | {HEADLINE: float(np.mean([values[name] for name in chosen]))}


def evaluate(model: TwoTowers, params: Any, task: Task) -> dict[str, Any]:
    """The same figures on the test domains, with intervals; of several sets, and their means."""
    sets = {
        split: {name: _interval(one) for name, one in figures.items()}
        for split, figures in _measure(model, params, task, task.test, task.about.test).items()
    }
    means = evals.mean_intervals(sets)
    return means if len(sets) == 1 else means | evals.by_set(sets)


def _interval(of_queries: np.ndarray) -> Interval:
    """The mean over queries [n], with its interval."""
    found = evals.bootstrap_intervals(
        lambda n: {"mean": n @ of_queries / n.sum(-1)}, len(of_queries)
    )
    return found["mean"]


def embed_test(model: TwoTowers, params: Any, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings x and y [n, d] of the test crops."""
    return _crops(model, params, task.test.x, "x"), _crops(model, params, task.test.y, "y")


def pictures(task: Task) -> np.ndarray:
    """Pictures of the test crops' structures, uint8 [n, crop, crop]: 255 is most ink.

    Of backbones the distances, the nearer the darker; of strings stripes, helices the darkest.
    """
    if are_backbones(task.test.y):
        ca = np.nan_to_num(task.test.y["backbone"][:, :, 1])
        light = 8 * np.linalg.norm(ca[:, :, None] - ca[:, None], axis=-1)
    else:
        light = np.repeat(24 * task.test.y[:, None], task.test.y.shape[1], axis=1)
    return np.clip(255 - light, 0, 255).astype(np.uint8)


def search(model: TwoTowers, params: Any, task: Task, words: str) -> np.ndarray:
    """Cosines [n] of the test crops' structures with the centre of a sequence."""
    letters = np.frombuffer("".join(words.split()).upper().encode("ascii", "replace"), np.uint8)
    start = max(len(letters) - task.about.crop, 0) // 2
    tokens = np.full((1, task.about.crop), domains.PADDING, np.int32)
    known = domains.tokens(letters[start : start + task.about.crop])
    tokens[0, : len(known)] = known
    return _crops(model, params, task.test.y, "y") @ _crops(model, params, tokens, "x")[0]


def _crops(model: TwoTowers, params: Any, items: Items, modality: Any) -> np.ndarray:
    return embed(model, params, items, modality, chunk=_CHUNK)


def _measure(
    model: TwoTowers,
    params: Any,
    task: Task,
    items: Any,
    sets: dict[str, protein_data.Domains],
) -> dict[str, dict[str, np.ndarray]]:
    """For each set, a figure for each query by name."""
    x, y = _crops(model, params, items.x, "x"), _crops(model, params, items.y, "y")
    train, found = task.about.train, {}
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
        found[split] = figures
    return found


def _summaries(model: TwoTowers, params: Any, groups: list[Items], modality: Any) -> np.ndarray:
    """Embeddings [n, d] of whole domains by the first part of a row."""
    dim = model.x_head.dim
    rows = [
        # The whole rows of all domains together would need much memory.
        _crops(model, params, take(items, slice(start, start + _PART)), modality)[:, :dim]
        for items in groups
        for start in range(0, count(items), _PART)
    ]
    return np.concatenate([np.zeros((0, dim), np.float32), *rows])
