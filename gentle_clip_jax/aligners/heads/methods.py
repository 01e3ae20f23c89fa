"""Trained heads as a method: held-out pairs for early stopping, and the warm start."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners import choose
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.closed_form.gentle import Smoothed
from gentle_clip_jax.aligners.closed_form.transported import plan_part
from gentle_clip_jax.aligners.heads.refined import Refined
from gentle_clip_jax.aligners.heads.settings import Settings
from gentle_clip_jax.aligners.heads.training import Trained, fit
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.evaluation.pairs import take
from gentle_clip_jax.evaluation.splits import hold_out
from gentle_clip_jax.losses.objectives import OBJECTIVES

Pairs = tuple[jax.Array, jax.Array]


def fit_method(
    features: Features,
    key: jax.Array,
    *,
    objective: str,
    start: Literal["gentle_transport"] | None = None,
) -> tuple[Trained | Refined, dict[str, Any]]:
    """Train heads on four fifths of the pairs; return them with their metadata.

    Args:
      features: standardised; the pairs in random order.
      key: of weights, batches and dropout.
      objective: a name in `OBJECTIVES`.
      start: the closed form, fitted to those pairs, that the heads start from; if not given, their
        weights are random.

    Raises:
      ValueError: there are fewer than four pairs.
    """
    rest, held_out = _hold_out(features)
    if start is None:
        aligned = trained = fit(key, rest, OBJECTIVES[objective], validation=held_out)
    else:
        smoothed, _ = choose.gentle_transport(plan_part(rest))
        assert isinstance(smoothed, Smoothed)  # no names
        assert isinstance(smoothed.maps, Maps)  # not joined
        x, unmatched_x, held_out_x = (
            smoothed.smooth_x(jnp.mean(items, axis=1))[:, None]
            for items in (rest.x, rest.unmatched_x, held_out[0])
        )
        trained = fit(
            key,
            rest._replace(x=x, unmatched_x=unmatched_x),
            OBJECTIVES[objective],
            validation=(held_out_x, held_out[1]),
            warm_start=smoothed.maps,
        )
        aligned = Refined(smoothed, trained)
    return aligned, _metadata(trained, objective, start, len(held_out[0]))


def _hold_out(features: Features) -> tuple[Features, Pairs]:
    """Hold out a fifth of the pairs, two at least, for early stopping; they are in random order."""
    if len(features.x) < 4:
        raise ValueError(
            f"{len(features.x)} pairs are too few to train heads, as two are held out to stop by: "
            "give 4 or more, or take a closed form."
        )
    validation, rest = hold_out(np.arange(len(features.x)), max(2, len(features.x) // 5))
    x, y = take(rest, features.x, features.y)
    return features._replace(x=x, y=y), take(validation, features.x, features.y)


def _metadata(trained: Trained, objective: str, start: str | None, held_out: int) -> dict[str, Any]:
    scores = trained.history["validation"]
    best = int(np.argmax(scores))
    return {
        "settings": {"objective": objective, "start": start, **Settings()._asdict()},
        "held_out": {
            "pairs": held_out,
            "mean_reciprocal_rank": float(scores[best]),
            "step": int(trained.history["step"][best]),
        },
    }
