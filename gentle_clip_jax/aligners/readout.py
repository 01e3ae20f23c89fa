"""How a fitted aligner's rows are ranked: which side is drawn, and to what."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.drawn import Drawn
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage, shrunk_cca
from gentle_clip_jax.aligners.cross_validation import Embeds, ranks
from gentle_clip_jax.aligners.held_out import parts, splits, standard_errors
from gentle_clip_jax.aligners.pairs import take
from gentle_clip_jax.aligners.problem import Features

_ROWS, _BYTES = 16384, 2**26  # of a bank, at most
_LEAST_ROWS = 300  # of a bank; fewer are no neighbourhood
_LEAST_PAIRS = 6  # of fewer, held-out ones decide nothing
_TRIED = 4096  # rows of a bank on trial


class Sides(NamedTuple):
    """Whether rows of x are drawn where they are ranked, and rows of y."""

    x: bool
    y: bool


def drawn_sides(small: Features, *, seed: int = 0) -> Sides:
    """Which sides held-out pairs let be drawn.

    x is drawn unless held-out pairs then find each other worse by a standard error, y only if they
    do so better by one. CCA of the pairs is what is tried: the readout favours no method.

    Args:
      small: standardised features, as trials take them, see `held_out.reduced_problem`.
      seed: of what is drawn at random.
    """
    gain_x, gain_y = _gains(small, seed)
    return Sides(x=gain_x >= -1, y=gain_y >= 1)


def with_banks(features: Features, maps: Embeds, sides: Sides, *, seed: int = 0) -> Drawn:
    """The maps, and banks for the sides that are drawn, if there are rows enough.

    Args:
      features: standardised, that the maps were fitted to; single rows of them make the banks.
      maps: of any method.
      sides: see `drawn_sides`.
      seed: of what is drawn at random.
    """
    of_x, of_y = (features.x, features.unmatched_x), (features.y, features.unmatched_y)
    return Drawn(
        maps,
        bank_x=_bank(maps.embed_x, _rows(of_x, seed)) if sides.y else None,
        bank_y=_bank(maps.embed_y, _rows(of_y, seed)) if sides.x else None,
    )


class _Ranked(NamedTuple):
    """Both sides as they are ranked."""

    drawn: Drawn

    def embed_x(self, x: jax.Array) -> jax.Array:
        return self.drawn.draw_x(self.drawn.embed_x(x))

    def embed_y(self, y: jax.Array) -> jax.Array:
        return self.drawn.draw_y(self.drawn.embed_y(y))


def _gains(features: Features, seed: int) -> tuple[float, float]:
    """By how many standard errors pairs are found better where x is drawn, and where y is."""
    n = len(features.x)
    if n < _LEAST_PAIRS:
        return 0.0, 0.0
    _, wrong = parts(features)
    (x, wrong_x, more_x), (y, wrong_y, more_y) = (
        (
            jnp.mean(items, axis=1),
            jnp.mean(unmatched[wrong], axis=1),
            _rows((unmatched[: wrong.start], unmatched[wrong.stop :]), seed)[:_TRIED],
        )
        for items, unmatched in (
            (features.x, features.unmatched_x),
            (features.y, features.unmatched_y),
        )
    )
    shrinkage = chosen_shrinkage(shrunk_cca, x, y)
    counts, gains = np.zeros(n), np.zeros((2, n))
    for held, rest in splits(n, seed):
        rest_x, rest_y = take(rest, x, y)
        all_x, all_y = take(np.concatenate([held, rest]), x, y)
        maps = shrunk_cca(rest_x, rest_y, shrinkage)
        plain = Drawn(maps, None, None)
        draws = (
            plain._replace(bank_y=maps.embed_y(jnp.concatenate([rest_y, more_y]))),
            plain._replace(bank_x=maps.embed_x(jnp.concatenate([rest_x, more_x]))),
        )
        gallery = jnp.concatenate([all_x, wrong_x]), jnp.concatenate([all_y, wrong_y])
        before = np.log(ranks(plain, *gallery, len(held)))
        counts[held] += 1
        # By y where x is ranked, and by x where y is.
        for gain, drawn, asks in zip(gains, draws, (1, 0)):
            after = np.log(ranks(_Ranked(drawn), *gallery, len(held)))
            gain[held] += (before - after)[:, asks]
    return standard_errors(gains[0] / counts), standard_errors(gains[1] / counts)


def _rows(groups: Iterable[jax.Array], seed: int) -> jax.Array:
    """Single rows of items [n, j, d], matched or not, in random order."""
    rows = jnp.concatenate([items.reshape(-1, items.shape[-1]) for items in groups])
    return rows[np.random.default_rng(seed).permutation(len(rows))[:_ROWS]]


def _bank(embed: Callable[[jax.Array], jax.Array], rows: jax.Array) -> jax.Array | None:
    """The embedded rows, as many as there is room for; None if they are too few."""
    if len(rows) < _LEAST_ROWS:
        return None
    embedded = embed(rows)
    return embedded[: max(_LEAST_ROWS, _BYTES // embedded[0].nbytes)]
