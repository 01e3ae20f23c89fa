"""Icon search: x are glyphs, y the words of their names; small towers trained from scratch."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gentle_clip_jax import evaluation
from gentle_clip_jax.data.batches import Batch, Dataset, Pairs
from gentle_clip_jax.encoders.heads import ProjectionHead
from gentle_clip_jax.encoders.patch_transformer import PatchTransformer
from gentle_clip_jax.encoders.text import TextTransformer
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.tasks.embedding import embed
from gentle_clip_jax.tasks.icons import data
from gentle_clip_jax.tasks.icons.views import glyph_views
from gentle_clip_jax.tasks.raw import Modality, Raw, images_in, texts_in
from gentle_clip_jax.tasks.rows import loss as loss

MODALITIES = ("image", "text")
HEADLINE = "mean_recall"
TYPED = "y"


def check(config: ml_collections.ConfigDict) -> None:
    """Raise ValueError if num_heads does not divide a tower's width, or patch_size the glyph."""
    for name in ("image", "text"):
        tower = config.model[name]
        if tower.num_heads < 1 or tower.width % tower.num_heads:
            raise ValueError(
                f"config.model.{name}.width={tower.width} must be a multiple of its "
                f"num_heads={tower.num_heads}."
            )
    size, patch = config.data.size, config.model.image.patch_size
    if patch % 4 or size % patch:
        raise ValueError(
            f"config.model.image.patch_size={patch} must be a multiple of 4 that divides "
            f"config.data.size={size}."
        )


def load_data(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> Dataset:
    """Return the glyphs and their names; rendered glyphs are cached in workdir/cache."""
    return data.load_data(workdir / "cache" / "icons.npz", seed=config.seed, **config.data)


def build_model(config: ml_collections.ConfigDict, dataset: Dataset) -> TwoTowers:
    """Return the towers and heads of the config, for the tokens of the dataset."""
    dtype = jnp.dtype(config.model.dtype)
    head = functools.partial(
        ProjectionHead, config.model.embedding_dim, config.model.head_dropout, dtype
    )
    return TwoTowers(
        x_tower=PatchTransformer(**config.model.image, dtype=dtype),
        y_tower=TextTransformer(dataset.metadata.vocab_size, **config.model.text, dtype=dtype),
        x_head=head(),
        y_head=head(),
        init_temperature=config.loss.temperature,
    )


def init_params(config: ml_collections.ConfigDict, dataset: Dataset, model: TwoTowers) -> Any:
    """Return random params, a function of config.seed."""
    rows = jnp.asarray(dataset.validation.x[:1]), jnp.asarray(dataset.validation.y[:1])
    return jax.jit(model.init)(jax.random.key(config.seed), *rows)["params"]


def views(
    key: jax.Array, batch: Batch, config: ml_collections.ConfigDict
) -> tuple[jax.Array, jax.Array]:
    """Return one random view of each glyph, and the texts; matched rows first."""
    images = jnp.concatenate([part["x"] for part in batch.values()]).astype(jnp.float32) / 255
    tokens = jnp.concatenate([part["y"] for part in batch.values()])
    return glyph_views(key, images, **config.views.image)[..., None], tokens


def validate(model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, float]:
    """Return the retrieval and zero-shot metrics of the validation items."""
    x, y = _embed_items(model, params, dataset.validation)
    names = dataset.validation.names
    metrics = evaluation.retrieval_metrics(x, y, image_ids=names, text_ids=names)
    return metrics | evaluation.zero_shot_metrics(*_zero_shot(model, params, dataset, x, names))


def evaluate(model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, Any]:
    """Return the same metrics of the test items, with intervals."""
    x, y = _embed_items(model, params, dataset.test)
    names = dataset.test.names
    metrics = evaluation.retrieval_intervals(x, y, image_ids=names, text_ids=names)
    return metrics | evaluation.zero_shot_intervals(*_zero_shot(model, params, dataset, x, names))


def embed_x(model: TwoTowers, params: Any, dataset: Dataset, items: np.ndarray) -> np.ndarray:
    """Return the unit rows [n, d] of glyphs, uint8 [n, size, size]."""
    return embed(model, params, items, "x")


def embed_y(
    model: TwoTowers, params: Any, dataset: Dataset, items: np.ndarray | Sequence[str]
) -> np.ndarray:
    """Return the unit rows [n, d] of words, or of their token ids [n, t]."""
    tokens = items if isinstance(items, np.ndarray) else dataset.metadata.encode(items)
    return embed(model, params, tokens, "y")


def test_items(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return glyphs and tokens of the test items."""
    return dataset.test.x, dataset.test.y


def pictures(dataset: Dataset) -> np.ndarray:
    """Return the test items' glyphs, uint8 [n, size, size]."""
    return dataset.test.x


def read(
    config: ml_collections.ConfigDict, dataset: Dataset, modality: Modality, path: pathlib.Path
) -> Raw:
    """Return a user's own pictures of icons, dark on white, or their words."""
    if modality == "y":
        return texts_in(path, dataset.metadata.encode)
    raw = images_in(path, dataset.test.x.shape[1])
    # Glyphs are white on black: 0 is the background.
    return raw._replace(load=lambda some: 255 - raw.load(some).mean(axis=-1).astype(np.uint8))


def zero_shot_labels(names: np.ndarray, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose head word is a class, and the index of that class."""
    heads = [data.head_word(name) for name in names]
    rows = [i for i, head in enumerate(heads) if head in classes]
    return np.array(rows), np.array([classes.index(heads[i]) for i in rows])


def _embed_items(model: TwoTowers, params: Any, items: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return embed(model, params, items.x, "x"), embed(model, params, items.y, "y")


def _zero_shot(
    model: TwoTowers, params: Any, dataset: Dataset, x: np.ndarray, names: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the embeddings of the labelled glyphs and of the classes, and the labels."""
    rows, labels = zero_shot_labels(names, dataset.metadata.classes)
    classes = embed(model, params, dataset.metadata.encode(dataset.metadata.classes), "y")
    return x[rows], classes, labels
