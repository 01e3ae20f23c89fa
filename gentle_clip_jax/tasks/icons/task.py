"""Icon search: x are glyphs, y the words of their names; small towers from scratch."""

import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gentle_clip_jax import evals
from gentle_clip_jax.data.batches import Batch, Pairs, Task
from gentle_clip_jax.encoders.heads import ProjectionHead
from gentle_clip_jax.encoders.patch_transformer import PatchTransformer
from gentle_clip_jax.encoders.text import TextTransformer
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.tasks.embedding import embed
from gentle_clip_jax.tasks.icons import data
from gentle_clip_jax.tasks.icons.views import glyph_views
from gentle_clip_jax.tasks.objective import gentle_clip
from gentle_clip_jax.tasks.text_views import text_views

HEADLINE = "mean_recall"
objective = gentle_clip


def check(config: ml_collections.ConfigDict) -> None:
    """Raises ValueError where attention's heads do not divide a tower's width."""
    for name in ("image", "text"):
        tower = config.model[name]
        if tower.num_heads < 1 or tower.width % tower.num_heads:
            raise ValueError(
                f"config.model.{name}.width={tower.width} must be a multiple of its "
                f"num_heads={tower.num_heads}."
            )


def load_task(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> Task:
    """The glyphs and their names; what had to be rendered is kept in workdir/cache."""
    return data.load_task(workdir / "cache" / "icons.npz", seed=config.seed, **config.data)


def build_model(config: ml_collections.ConfigDict, task: Task) -> TwoTowers:
    """The towers and heads the config describes, for the task's tokens."""
    dtype = jnp.dtype(config.model.dtype)
    head = functools.partial(
        ProjectionHead, config.model.embedding_dim, config.model.head_dropout, dtype
    )
    return TwoTowers(
        x_tower=PatchTransformer(**config.model.image, dtype=dtype),
        y_tower=TextTransformer(task.about.vocab_size, **config.model.text, dtype=dtype),
        x_head=head(),
        y_head=head(),
        init_temperature=config.loss.temperature,
    )


def init_params(config: ml_collections.ConfigDict, task: Task, model: TwoTowers) -> Any:
    """Random params, a function of config.seed."""
    images, tokens = pixels(task.validation.x[:1]), jnp.asarray(task.validation.y[:1])
    return jax.jit(model.init)(jax.random.key(config.seed), images, tokens)["params"]


def pixels(images) -> jax.Array:
    """uint8 [b, height, width] -> float32 [b, height, width, 1] in [0, 1]."""
    return jnp.asarray(images).astype(jnp.float32)[..., None] / 255


def views(
    key: jax.Array, batch: Batch, config: ml_collections.ConfigDict
) -> tuple[jax.Array, jax.Array]:
    """One random view of each glyph and of each text, matched rows first."""
    images = jnp.concatenate([pixels(part["x"]) for part in batch.values()])
    tokens = jnp.concatenate([part["y"] for part in batch.values()])
    image_key, text_key = jax.random.split(key)
    images = glyph_views(image_key, images[..., 0], **config.views.image)
    return images[..., None], text_views(text_key, tokens, **config.views.text)


def validate(model: TwoTowers, params: Any, task: Task) -> dict[str, float]:
    """Retrieval and zero-shot figures on the validation items."""
    x, y = _embed_items(model, params, task.validation)
    names = task.validation.names
    metrics = evals.retrieval_metrics(x, y, image_ids=names, text_ids=names)
    return metrics | evals.zero_shot_metrics(*_zero_shot(model, params, task, x, names))


def evaluate(model: TwoTowers, params: Any, task: Task) -> dict[str, Any]:
    """The same figures on the test items, with intervals."""
    x, y = embed_test(model, params, task)
    names = task.test.names
    metrics = evals.retrieval_intervals(x, y, image_ids=names, text_ids=names)
    return metrics | evals.zero_shot_intervals(*_zero_shot(model, params, task, x, names))


def embed_test(model: TwoTowers, params: Any, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings x and y [n, d] of the test items."""
    return _embed_items(model, params, task.test)


def pictures(task: Task) -> np.ndarray:
    """The test items' glyphs, uint8 [n, size, size]."""
    return task.test.x


def search(model: TwoTowers, params: Any, task: Task, words: str) -> np.ndarray:
    """Cosines [n] of the test items' glyphs with the words."""
    x = embed(model, params, pixels(task.test.x), "x")
    return x @ embed(model, params, task.about.encode([words]), "y")[0]


def zero_shot_labels(names: np.ndarray, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose head word is a class, and the number of that class."""
    heads = [data.head_word(name) for name in names]
    rows = [i for i, head in enumerate(heads) if head in classes]
    return np.array(rows), np.array([classes.index(heads[i]) for i in rows])


def _embed_items(model: TwoTowers, params: Any, items: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return embed(model, params, pixels(items.x), "x"), embed(model, params, items.y, "y")


def _zero_shot(
    model: TwoTowers, params: Any, task: Task, x: np.ndarray, names: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of the glyphs that have a class, those of the classes, and the glyphs' labels."""
    rows, labels = zero_shot_labels(names, task.about.classes)
    classes = embed(model, params, task.about.encode(task.about.classes), "y")
    return x[rows], classes, labels
