"""Heads on frozen features, trained with a loss of gentle_clip_jax and stopped by held-out pairs.

A head is a small network for each modality, on standardised features. Rivals of closed forms are
files of methods/ that name their objective. Held-out pairs choose the number of steps, and then the
heads are trained anew with all pairs for as many.
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
from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage
from gentle_clip_jax.encoders.heads import ProjectionHead, RefinedMap, size_of
from gentle_clip_jax.losses.objectives import OBJECTIVES, Embedded

_TIE = 1e-6  # closer cosines tie, and a tie counts against the query
_ONES = {f"{term}_weight": 1.0 for term in ("clip", "mmd", "sdd", "ssl")}
Params = dict[str, Any]  # of the heads of "x" and "y"


class Settings(NamedTuple):
    """Settings of the training; each combination is compiled.

    start: "random", or "cca": each head begins as the map of CCA of the pairs.
    dim: of the embeddings.
    steps: at most; evaluate_every: steps from one evaluation on held-out pairs to the next.
    patience: evaluations without a better score after which training ends.
    wrong_answers: unmatched items of each modality that an evaluation adds to the held-out pairs.
    matched, unmatched: rows of a batch, unmatched of each modality; fewer where there are fewer.
    dropout: of the heads. view_dropout: share of the features that a second view lacks.
    """

    start: str = "random"
    dim: int = 256
    steps: int = 500
    evaluate_every: int = 25
    patience: int = 8
    wrong_answers: int = 1000
    matched: int = 128
    unmatched: int = 256
    dropout: float = 0.1
    view_dropout: float = 0.3


class Weights(NamedTuple):
    """Settings that one compiled program takes as numbers.

    learning_rate: the peak, of AdamW. temperature: of CLIP.
    mmd, sdd, ssl: weights of the terms beside CLIP's, which has 1; only Gentle-CLIP has them.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    temperature: float = 0.07
    mmd: float = 1.0
    sdd: float = 1.0
    ssl: float = 0.15


class Problem(NamedTuple):
    """What heads are trained on, of standardised features, and how."""

    rows: Draw
    objective: str
    key: jax.Array
    settings: Settings
    weights: Weights


def fit_heads(
    objective: str,
    x: np.ndarray,
    y: np.ndarray,
    unmatched_x: np.ndarray,
    unmatched_y: np.ndarray,
    seed: int,
    settings: Settings | None = None,
    weights: Weights | None = None,
) -> tuple[Embed, Embed]:
    """Train heads on four fifths of the pairs; the others, two at least, choose the steps.

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
    key = jax.random.key(seed)
    whole = Problem(rows, objective, key, settings, weights or Weights())
    training = whole._replace(rows=rows._replace(x=rows.x[rest], y=rows.y[rest]))
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam multiplies floats by its count
        params = _start(whole)
        for trained, _ in _trained(whole, params, _best_step(training, validation, seed), seed):
            params = trained

    def embed(side: str) -> Embed:
        return lambda items: _embed(params[side], _scaled(items, scales[side]), settings)

    return embed("x"), embed("y")


def _best_step(training: Problem, validation: Draw, seed: int) -> int:
    """Return the number of steps after which held-out pairs rank best, which may be 0."""
    settings = training.settings
    start = _start(training)
    best_step, best_score = 0, _score(start, validation, settings)
    for params, step in _trained(training, start, settings.steps, seed):
        if step % settings.evaluate_every:
            continue
        score = _score(params, validation, settings)
        if score > best_score:
            best_step, best_score = step, score
        elif step - best_step >= settings.patience * settings.evaluate_every:
            break
    return best_step


def _start(problem: Problem) -> Params:
    """Return the parameters that training begins with."""
    settings, rows = problem.settings, problem.rows
    keys = dict(zip("xy", jax.random.split(problem.key)))
    params = {
        side: _head(settings).init(keys[side], items[:1])["params"]
        for side, items in zip("xy", rows)
    }
    if settings.start == "random":
        return params
    x, y = jnp.asarray(rows.x), jnp.asarray(rows.y)
    fit = lambda x, y: lambda of: cca(x, y, shrinkage=of, dim=settings.dim)  # noqa: E731
    maps = fit(x, y)(chosen_shrinkage(fit, x, y))
    sides = ((x, maps.mean_x, maps.map_x), (y, maps.mean_y, maps.map_y))
    for side, (items, mean, kernel) in zip("xy", sides):
        kernel = kernel / size_of((items - mean[None, :]) @ kernel)
        kernel = jnp.pad(kernel, ((0, 0), (0, settings.dim - kernel.shape[1])))
        params[side] |= {"map": {"kernel": kernel, "bias": -mean @ kernel}}
    return params


def _trained(
    problem: Problem, params: Params, steps: int, seed: int
) -> Iterator[tuple[Params, int]]:
    """Yield the parameters after each step, and its number."""
    settings, weights = problem.settings, problem.weights
    state = _optimizer(settings, weights).init(params)
    batches = _batches(problem.rows, np.random.default_rng(seed), settings)
    for step, batch in zip(range(1, steps + 1), batches):
        key = jax.random.fold_in(problem.key, step)
        params, state = _step(params, state, batch, key, weights, problem.objective, settings)
        yield params, step


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
    params: Params,
    state: Any,
    batch: Draw,
    key: jax.Array,
    weights: Weights,
    objective: str,
    settings: Settings,
) -> tuple[Params, Any]:
    def loss(params: Params) -> jax.Array:
        embedded = _embed_batch(params, batch, key, settings)
        of_terms = _ONES if objective == "gentle_clip" else {}
        total, terms = OBJECTIVES[objective](embedded, temperature=weights.temperature, **of_terms)
        if not of_terms:
            return total
        return terms["clip"] + sum(
            getattr(weights, name) * terms[name] for name in ("mmd", "sdd", "ssl")
        )

    updates, state = _optimizer(settings, weights).update(jax.grad(loss)(params), state, params)
    updates = jax.tree.map(lambda update: weights.learning_rate * update, updates)
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


def _head(settings: Settings) -> ProjectionHead | RefinedMap:
    if settings.start == "random":
        return ProjectionHead(settings.dim, settings.dropout)
    return RefinedMap(settings.dim, settings.dropout, use_bias=True)


def _optimizer(settings: Settings, weights: Weights) -> optax.GradientTransformation:
    return optimizer.adamw(
        tower_learning_rate=0.0,
        head_learning_rate=1.0,  # and the updates are scaled, as a schedule takes no traced peak
        weight_decay=weights.weight_decay,
        max_grad_norm=1.0,
        warmup_steps=settings.steps // 10,
        steps=settings.steps,
    )


def _scaled(rows: np.ndarray, scale: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    mean, deviation = scale
    return ((rows - mean) / deviation).astype(np.float32)
