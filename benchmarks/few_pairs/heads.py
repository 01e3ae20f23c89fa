"""Heads on frozen features, trained with a loss of gentle_clip_jax and stopped by held-out pairs.

A head is a small network for each modality, on standardised features. Rivals of closed forms are
files of methods/ that name their objective.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from few_pairs.package import standardized
from few_pairs.protocol import Draw, Embed
from gentle_clip_jax import optimizer
from gentle_clip_jax.encoders.heads import ProjectionHead
from gentle_clip_jax.losses.objectives import OBJECTIVES, Embedded

_TIE = 1e-6  # closer cosines tie, and a tie counts against the query
Params = dict[str, Any]  # of the heads of "x" and "y"


class Settings(NamedTuple):
    """Settings of the training, which were not chosen on any item of the benchmark.

    dim: of the embeddings.
    steps: at most; evaluate_every: steps from one evaluation on held-out pairs to the next.
    patience: evaluations without a better score after which training ends.
    wrong_answers: unmatched items of each modality that an evaluation adds to the held-out pairs.
    matched, unmatched: rows of a batch, unmatched of each modality; fewer where there are fewer.
    learning_rate: the peak, of AdamW. dropout: of the heads.
    view_dropout: share of the features that a second view lacks.
    """

    dim: int = 256
    steps: int = 500
    evaluate_every: int = 25
    patience: int = 8
    wrong_answers: int = 1000
    matched: int = 128
    unmatched: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    dropout: float = 0.1
    view_dropout: float = 0.3


def fit_heads(
    objective: str,
    x: np.ndarray,
    y: np.ndarray,
    unmatched_x: np.ndarray,
    unmatched_y: np.ndarray,
    seed: int,
    settings: Settings | None = None,
) -> tuple[Embed, Embed]:
    """Train heads on four fifths of the pairs; the others, two at least, choose the best state.

    objective: a name in `gentle_clip_jax.losses.objectives.OBJECTIVES`.
    seed: of the initial weights, the held-out pairs, the batches and dropout.
    """
    settings, rng = settings or Settings(), np.random.default_rng(seed)
    of_x, of_y = standardized(x, unmatched_x), standardized(y, unmatched_y)
    scales = {"x": of_x, "y": of_y}
    rows = Draw(
        *map(_scaled, (x, y, unmatched_x, unmatched_y), (of_x, of_y, of_x, of_y)),
    )
    held_out, rest = np.split(rng.permutation(len(x)), [max(2, len(x) // 5)])
    others = (items[: settings.wrong_answers] for items in rows[2:])  # which are shuffled
    validation = Draw(rows.x[held_out], rows.y[held_out], *others)
    training = rows._replace(x=rows.x[rest], y=rows.y[rest])
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam multiplies floats by its count
        params = _train(training, validation, objective, rng, jax.random.key(seed), settings)

    def embed(side: str) -> Embed:
        return lambda items: _embed(params[side], _scaled(items, scales[side]), settings)

    return embed("x"), embed("y")


def _train(
    training: Draw,
    validation: Draw,
    objective: str,
    rng: np.random.Generator,
    key: jax.Array,
    settings: Settings,
) -> Params:
    """Return the best parameters on the held-out pairs, which may be the initial ones."""
    keys = dict(zip("xy", jax.random.split(key)))
    params = {
        side: _head(settings).init(keys[side], items[:1])["params"]
        for side, items in zip("xy", training)
    }
    state = _optimizer(settings).init(params)
    best, best_step, best_score = params, 0, _score(params, validation, settings)
    for step, batch in zip(range(1, settings.steps + 1), _batches(training, rng, settings)):
        step_key = jax.random.fold_in(key, step)
        params, state = _step(params, state, batch, step_key, objective, settings)
        if step % settings.evaluate_every:
            continue
        score = _score(params, validation, settings)
        if score > best_score:
            best, best_step, best_score = params, step, score
        elif step - best_step >= settings.patience * settings.evaluate_every:
            break
    return best


def _batches(rows: Draw, rng: np.random.Generator, settings: Settings) -> Iterator[Draw]:
    """Yield batches of distinct items without end."""
    while True:
        pairs, of_x, of_y = (
            rng.permutation(len(items))[:size]
            for items, size in (
                (rows.x, settings.matched),
                (rows.unmatched_x, settings.unmatched),
                (rows.unmatched_y, settings.unmatched),
            )
        )
        yield Draw(rows.x[pairs], rows.y[pairs], rows.unmatched_x[of_x], rows.unmatched_y[of_y])


@functools.partial(jax.jit, static_argnames=("objective", "settings"))
def _step(
    params: Params, state: Any, batch: Draw, key: jax.Array, objective: str, settings: Settings
) -> tuple[Params, Any]:
    def loss(params: Params) -> jax.Array:
        return OBJECTIVES[objective](_embed_batch(params, batch, key, settings))[0]

    updates, state = _optimizer(settings).update(jax.grad(loss)(params), state, params)
    updated: Any = optax.apply_updates(params, updates)
    return updated, state


def _embed_batch(params: Params, batch: Draw, key: jax.Array, settings: Settings) -> Embedded:
    """Embed a batch with dropout, and its second views, which lack a share of the features."""
    head, rows, views = _head(settings), {}, {}
    keep = 1 - settings.view_dropout
    for side, matched, unmatched, side_key in zip(
        "xy", batch[:2], batch[2:], jax.random.split(key)
    ):
        row_key, view_key, mask_key = jax.random.split(side_key, 3)
        features = jnp.concatenate([matched, unmatched])
        mask = jax.random.bernoulli(mask_key, keep, features.shape)
        for made, given, dropout in (
            (rows, features, row_key),
            (views, jnp.where(mask, features / keep, 0), view_key),
        ):
            made[side] = head.apply(
                {"params": params[side]}, given, train=True, rngs={"dropout": dropout}
            )
    pairs = len(batch.x)
    x, y = rows["x"], rows["y"]
    return Embedded(x[:pairs], y[:pairs], x[pairs:], y[pairs:], views["x"], views["y"])


@functools.partial(jax.jit, static_argnames="settings")
def _score(params: Params, rows: Draw, settings: Settings) -> jax.Array:
    """Return the mean reciprocal rank of partners, both ways, among pairs and wrong answers."""
    x, y, others_x, others_y = (
        _embed(params[side], items, settings) for side, items in zip("xyxy", rows)
    )

    def one_way(queries: jax.Array, partners: jax.Array, others: jax.Array) -> jax.Array:
        cosines = queries @ jnp.concatenate([partners, others]).T
        own = jnp.diagonal(cosines)[:, None]
        # NaN fails the comparison, and so counts against the query.
        return jnp.mean(1 / jnp.sum(~(cosines < own - _TIE), axis=1))

    return (one_way(x, y, others_y) + one_way(y, x, others_x)) / 2


@functools.partial(jax.jit, static_argnames="settings")
def _embed(params: Any, rows: jax.Array, settings: Settings) -> jax.Array:
    """Return unit rows [n, d] of standardised features [n, f]."""
    return jnp.asarray(_head(settings).apply({"params": params}, rows))


def _head(settings: Settings) -> ProjectionHead:
    return ProjectionHead(settings.dim, settings.dropout)


def _optimizer(settings: Settings) -> optax.GradientTransformation:
    return optimizer.adamw(
        tower_learning_rate=0.0,
        head_learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=1.0,
        warmup_steps=settings.steps // 10,
        steps=settings.steps,
    )


def _scaled(rows: np.ndarray, scale: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    mean, deviation = scale
    return ((rows - mean) / deviation).astype(np.float32)
