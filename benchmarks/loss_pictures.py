"""Draws docs/figures/loss_*.svg: what each loss does to two small sets of points.

Gradient descent on the points themselves: where they start on the left, their trails and where they
end on the right. Run: python benchmarks/loss_pictures.py [name ...]
"""

import functools
import io
import sys
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from published import ROOT, compact_svg

from gentle_clip_jax import losses

FIGURES = ROOT / "docs" / "figures"
COLORS = "#2b6cb0", "#dd6b20"
N, PAIRS, STEPS, TAU = 24, 6, 400, 0.2
_clip, _nt_xent, _soft, _transport = (
    functools.partial(function, temperature=TAU)
    for function in (
        losses.clip_loss,
        losses.nt_xent_loss,
        losses.soft_labels,
        losses.transport_labels,
    )
)
# In the plane only so few and so sharp: all other points are equally wrong.
_sigmoid = functools.partial(losses.sigmoid_loss, temperature=TAU / 4, bias=-15.0)


class Scene(NamedTuple):
    """A loss of x [N, 2] and y [N, 2] and where these start.

    rate: how far the point with the largest gradient goes in the first step.
    on_circle: whether the loss sees directions only, so that points stay on the unit circle.
    pairs: how many of the first points of both sets are linked by a line.
    still: which of the sets stays where it is, if any.
    """

    loss: Callable[[jax.Array, jax.Array], jax.Array]
    x: np.ndarray
    y: np.ndarray
    on_circle: bool = False
    pairs: int = 0
    still: str = ""
    rate: float = 0.05


def scenes() -> dict[str, Scene]:
    rng = np.random.default_rng(0)
    arc = np.linspace(0, np.pi, N)
    crescent = _circle(arc) + 0.06 * rng.normal(size=(N, 2))
    blob = np.array([1.9, -0.4]) + np.array([0.2, 0.3]) * rng.normal(size=(N, 2))
    angle = rng.uniform(0, 2.2, N)
    right, left = _circle(angle), _circle(angle + 0.9 + 0.2 * rng.normal(size=N))
    everywhere = np.concatenate([np.arange(PAIRS), rng.uniform(0, 2 * np.pi, N - PAIRS)])
    around = _circle(everywhere)
    words = partners = np.tile(_circle(everywhere[:PAIRS] + 0.6), (N // PAIRS, 1))
    fan = np.linspace(0, 2.2, PAIRS)
    few = _circle(fan)
    every_pair, few_pairs = ({"on_circle": True, "pairs": pairs} for pairs in (N, PAIRS))
    labelled = few_pairs | {"still": "y"}
    return {
        "clip": Scene(_clip, right, left, **every_pair),
        "sigmoid": Scene(_sigmoid, few, _circle(fan + 0.6), **few_pairs, rate=0.02),
        "nt_xent": Scene(_nt_xent, right, _circle(angle + 0.3), **every_pair),
        "multi_kernel_mmd": Scene(losses.multi_kernel_mmd, crescent, blob),
        "semantic_density": Scene(losses.semantic_density_loss, crescent, blob, rate=0.02),
        "cauchy_schwarz": Scene(losses.cauchy_schwarz_divergence, crescent, blob),
        "gentle_clip": Scene(_gentle_clip, right, left, **few_pairs),
        "hard_labels": Scene(
            _with_labels(losses.hard_labels, around), around, partners, **labelled
        ),
        "soft_labels": Scene(_with_labels(_soft, around), around, partners, **labelled),
        "transport_labels": Scene(_with_labels(_transport, around), around, partners, **labelled),
        "keyword": Scene(_keyword, right, words, on_circle=True, still="y"),
        "plan_matching": Scene(_plan_matching, right, left, **every_pair),
        "official_mmd": Scene(losses.official.mmd_single, crescent, blob),
        "official_density": Scene(losses.official.semantic_density, crescent, blob, rate=0.02),
    }


def _circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _gentle_clip(x: jax.Array, y: jax.Array) -> jax.Array:
    return losses.gentle_clip_loss(x, y, num_matched=PAIRS, temperature=TAU)[0]


def _with_labels(
    labels: Callable[[jax.Array, jax.Array], jax.Array], start: np.ndarray
) -> Callable:
    found = labels(jnp.float32(start[PAIRS:]), jnp.float32(start[:PAIRS]))

    def loss(x: jax.Array, y: jax.Array) -> jax.Array:
        return losses.pseudo_label_loss(x[PAIRS:], y[:PAIRS], found, temperature=TAU)

    return loss


def _keyword(x: jax.Array, y: jax.Array) -> jax.Array:
    word = jnp.arange(N) % PAIRS
    own, next_one = (word[:, None] + k == word[None, :] for k in (0, 1))
    return losses.keyword_loss(x, y, own | next_one, temperature=TAU)


def _plan_matching(x: jax.Array, y: jax.Array) -> jax.Array:
    return losses.plan_matching_loss(x, y, jnp.eye(N) / N, epsilon=TAU)


def descend(scene: Scene) -> np.ndarray:
    """Both sets [STEPS + 1, 2, N, 2] under gradient descent."""

    def place(points: jax.Array) -> jax.Array:
        rows = jax.vmap(losses.pairwise.normalize)(points)
        return rows if scene.on_circle else points

    moves = jnp.array([scene.still != name for name in "xy"])[:, None, None]
    slope = jax.jit(jax.grad(lambda points: scene.loss(*place(points))))
    start = jnp.float32(np.stack([scene.x, scene.y]))
    first = jnp.where(moves, slope(start), 0)
    rate = scene.rate / jnp.max(jnp.linalg.norm(first, axis=2))

    def step(points: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        points = place(points - rate * jnp.where(moves, slope(points), 0))
        return points, points

    _, path = jax.lax.scan(step, start, None, length=STEPS)
    return np.concatenate([start[None], path])


def draw(name: str, scene: Scene) -> None:
    path = descend(scene)
    figure, panels = plt.subplots(1, 2, figsize=(4.8, 2.4), sharex=True, sharey=True)
    for axes, points in zip(panels, (path[0], path[-1])):
        if scene.on_circle:
            axes.add_patch(plt.Circle((0, 0), 1, fill=False, color="#cccccc", linewidth=0.8))
        links = points[:, : scene.pairs].transpose(2, 0, 1)
        axes.plot(links[0], links[1], color="#999999", linewidth=0.5)
        for color, rows in zip(COLORS, points):
            axes.scatter(rows[:, 0], rows[:, 1], s=14, color=color, zorder=3)
        axes.set_aspect("equal")
        axes.axis("off")
    for color, trail in zip(COLORS, path[:: STEPS // 10].transpose(1, 3, 0, 2)):
        panels[1].plot(*trail, color=color, linewidth=0.6, alpha=0.5)
    figure.subplots_adjust(0, 0, 1, 1, 0.02, 0)
    plt.rcParams["svg.hashsalt"] = name
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    plt.close(figure)
    (FIGURES / f"loss_{name}.svg").write_text(compact_svg(text.getvalue()))


def main() -> None:
    FIGURES.mkdir(parents=True, exist_ok=True)
    for name, scene in scenes().items():
        if name in sys.argv[1:] or not sys.argv[1:]:
            draw(name, scene)


if __name__ == "__main__":
    main()
