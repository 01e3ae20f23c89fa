"""Training of two heads on frozen features, with early stopping by held-out pairs."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gentle_clip_jax import optimizer
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.heads import sides
from gentle_clip_jax.aligners.heads.batches import Batch, batches, spread
from gentle_clip_jax.aligners.heads.settings import Settings
from gentle_clip_jax.aligners.heads.sides import Side, Sides
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.evaluation.retrieval import mean_reciprocal_rank
from gentle_clip_jax.losses.objectives import Objective


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["x", "y", "history"], meta_fields=["head"]
)
@dataclasses.dataclass(frozen=True)
class Trained:
    """Heads with the best validation score, and the history of their training.

    head: the module of both.
    x, y: its parameters in either modality.
    history: arrays "step", "validation" (mean reciprocal rank) and "loss" (its mean since the last
      evaluation, NaN at the start): one entry for the start and one for every evaluation since.
    """

    head: nn.Module
    x: Side
    y: Side
    history: dict[str, np.ndarray]

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Return unit rows [n, d] of features [n, dx]."""
        return _embed(self.head)(self.x, x)

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Return unit rows [m, d] of features [m, dy]."""
        return _embed(self.head)(self.y, y)


def fit(
    key: jax.Array,
    features: Features,
    objective: Objective,
    *,
    validation: tuple[jax.Array, jax.Array],
    warm_start: Maps | None = None,
    settings: Settings | None = None,
) -> Trained:
    """Train a head per modality on frozen features.

    A batch holds distinct items; one row of each item is sampled. The start is a candidate
    like any later state: the result is never worse on the validation pairs.

    Args:
      key: of initial weights, batches, dropout and views; equal keys give equal heads.
      features: standardised, of matched and unmatched items.
      objective: one of `OBJECTIVES`, or any function of `Embedded`. Calls with the same function,
        settings and shapes share one compilation.
      validation: features [w, j, dx] and [w, k, dy] of pairs held out of these.
      warm_start: maps that the heads start as; without them weights start at random.
      settings: `Settings()` if not given.

    Raises:
      ValueError: fewer than two pairs to train or to validate on, a feature that is not finite, or
        an objective that lacks what it learns from.
    """
    settings = settings or Settings()
    features = Features(*(jnp.asarray(items, jnp.float32) for items in features))
    held_out_x, held_out_y = (jnp.asarray(items, jnp.float32) for items in validation)
    _check(features, held_out_x, held_out_y)
    init_key, train_key = jax.random.split(key)
    head, start = sides.start(
        init_key, features, warm_start, dim=settings.dim, dropout=settings.dropout
    )
    teacher = None if warm_start is None else start
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam multiplies floats by its count
        best, evaluations, history = _train(
            start,
            teacher,
            features,
            (held_out_x, held_out_y),
            train_key,
            head=head,
            objective=objective,
            settings=settings,
        )
    seen = np.arange(int(evaluations) + 1)
    history = {name: np.asarray(values)[seen] for name, values in history.items()}
    return Trained(head, best.x, best.y, {"step": settings.evaluate_every * seen, **history})


def _check(features: Features, held_out_x: jax.Array, held_out_y: jax.Array) -> None:
    arrays = {**features._asdict(), "validation x": held_out_x, "validation y": held_out_y}
    for name, items in arrays.items():
        if items.ndim != 3:
            raise ValueError(f"{name} must be [items, rows, features]; its shape is {items.shape}")
        if not jnp.all(jnp.isfinite(items)):
            raise ValueError(f"{name} holds features that are not finite; leave their items out")
    kinds = (*features, held_out_x, held_out_y)
    widths = [items.shape[2] for items in kinds]
    if len(set(widths[::2])) > 1 or len(set(widths[1::2])) > 1:
        raise ValueError(
            f"matched, unmatched and validation items have {widths[::2]} features in x and "
            f"{widths[1::2]} in y: encode all items of a modality alike"
        )
    for use, x, y in (("train", features.x, features.y), ("validate", held_out_x, held_out_y)):
        if len(x) != len(y) or len(x) < 2:
            raise ValueError(
                f"{len(x)} items of x and {len(y)} of y to {use} on: give 2 pairs or more"
            )


class _State(NamedTuple):
    evaluations: jax.Array
    best_evaluation: jax.Array
    params: Any
    opt_state: Any
    best: Any
    history: dict[str, jax.Array]


@functools.partial(jax.jit, static_argnames=("head", "objective", "settings"))
def _train(
    start: Sides,
    teacher: Sides | None,
    features: Features,
    held_out: tuple[jax.Array, jax.Array],
    key: jax.Array,
    *,
    head: nn.Module,
    objective: Objective,
    settings: Settings,
) -> tuple[Sides, jax.Array, dict[str, jax.Array]]:
    """Return the best heads, the number of evaluations, and their history."""
    evaluations = max(1, settings.steps // settings.evaluate_every)
    optimize = _optimizer(settings, warm=teacher is not None)
    unmatched = features.unmatched_x, features.unmatched_y
    others = tuple(spread(items, settings.wrong_answers) for items in unmatched)

    def loss(params: Any, batch: Batch, key: jax.Array) -> jax.Array:
        heads = start.holding(params)
        embedded = sides.embed_batch(
            head, heads, batch, key, teacher=teacher, view_dropout=settings.view_dropout
        )
        return objective(embedded)[0]

    def train(state: _State, key: jax.Array) -> tuple[tuple[Any, Any], jax.Array]:
        order_key, steps_key = jax.random.split(key)
        draw = batches(order_key, features, matched=settings.matched, unmatched=settings.unmatched)

        def step(carry: tuple[Any, Any], i: jax.Array) -> tuple[tuple[Any, Any], jax.Array]:
            params, opt_state = carry
            draw_key, loss_key = jax.random.split(jax.random.fold_in(steps_key, i))
            value, gradients = jax.value_and_grad(loss)(params, draw(draw_key, i), loss_key)
            updates, opt_state = optimize.update(gradients, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), value

        numbers = jnp.arange(settings.evaluate_every)
        return jax.lax.scan(step, (state.params, state.opt_state), numbers)

    def evaluate(state: _State) -> _State:
        (params, opt_state), losses = train(state, jax.random.fold_in(key, state.evaluations))
        now = state.evaluations + 1
        score = _score(head, start.holding(params), held_out, others)
        better = score > state.history["validation"][state.best_evaluation]
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), params, state.best)
        history = {
            "validation": state.history["validation"].at[now].set(score),
            "loss": state.history["loss"].at[now].set(jnp.mean(losses)),
        }
        best_evaluation = jnp.where(better, now, state.best_evaluation)
        return _State(now, best_evaluation, params, opt_state, best, history)

    def unfinished(state: _State) -> jax.Array:
        waited = state.evaluations - state.best_evaluation
        return (state.evaluations < evaluations) & (waited < settings.patience)

    empty, params = jnp.full(1 + evaluations, jnp.nan), start.params()
    history = {"validation": empty.at[0].set(_score(head, start, held_out, others)), "loss": empty}
    zero = jnp.int32(0)
    state = _State(zero, zero, params, optimize.init(params), params, history)
    state = jax.lax.while_loop(unfinished, evaluate, state)
    return start.holding(state.best), state.evaluations, state.history


def _optimizer(settings: Settings, *, warm: bool) -> optax.GradientTransformation:
    steps = max(1, settings.steps // settings.evaluate_every) * settings.evaluate_every
    return optimizer.adamw(
        tower_learning_rate=0.0,
        head_learning_rate=settings.warm_learning_rate if warm else settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=1.0,
        warmup_steps=steps // 10,
        steps=steps,
    )


def _score(
    head: nn.Module,
    heads: Sides,
    held_out: tuple[jax.Array, jax.Array],
    others: tuple[jax.Array, ...],
) -> jax.Array:
    (x, others_x), (y, others_y) = (
        (jax.vmap(functools.partial(sides.embed, head, side))(items), sides.embed(head, side, more))
        for side, items, more in zip(heads, held_out, others)
    )
    return mean_reciprocal_rank(x, y, others_x=others_x, others_y=others_y)


@functools.cache
def _embed(head: nn.Module) -> Callable[[Side, jax.Array], jax.Array]:
    return jax.jit(functools.partial(sides.embed, head))
