"""What cross-validation chooses, and that it looks at nothing it must not see."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.maps import Maps
from gentle_clip_jax.aligners.closed_form.relative import relative
from gentle_clip_jax.evaluation.cross_validation import choose_setting

CANDIDATES = [1e-4, 1e-2, 1.0, 100.0]


def noisy_low_rank(n: int, d: int = 40) -> tuple[jax.Array, jax.Array]:
    """Pairs that share four of many directions, and noise in all."""
    rng = np.random.default_rng(0)
    maps, rows = rng.normal(size=(2, 4, d)), np.random.default_rng(n)
    shared = rows.normal(size=(n, 4))
    x, y = (jnp.float32(shared @ a + 1.5 * rows.normal(size=(n, d))) for a in maps)
    return x, y


def shrunk(x: jax.Array, y: jax.Array) -> Callable[[float], Maps]:
    return lambda shrinkage: cca(x, y, shrinkage=shrinkage)


def median_rank(maps: Maps, x: jax.Array, y: jax.Array) -> float:
    cosines = maps.embed_x(x) @ maps.embed_y(y).T
    return float(jnp.median(jnp.sum(cosines >= jnp.diagonal(cosines)[:, None], axis=1)))


def test_a_shrinkage_that_finds_new_pairs_is_chosen():
    x, y = noisy_low_rank(60)
    new = noisy_low_rank(500)
    found = {r: median_rank(cca(x, y, shrinkage=r), *new) for r in CANDIDATES}
    chosen = choose_setting(shrunk, x, y, CANDIDATES)
    assert found[CANDIDATES[0]] > 2 * min(found.values())  # a choice that matters
    assert found[chosen] <= 1.2 * min(found.values())


def test_twelve_pairs_are_enough():
    x, y = noisy_low_rank(12)
    chosen = choose_setting(shrunk, x, y, np.array(CANDIDATES))
    assert chosen in CANDIDATES
    assert isinstance(chosen, float)
    assert choose_setting(shrunk, x, y, CANDIDATES) == chosen


class Memory(NamedTuple):
    """Knows the pairs it was given, and them perfectly; or, told to, compares features."""

    x: jax.Array
    y: jax.Array
    memorise: jax.Array | float

    def embed_x(self, x: jax.Array) -> jax.Array:
        return self._embed(x, self.x)

    def embed_y(self, y: jax.Array) -> jax.Array:
        return self._embed(y, self.y)

    def _embed(self, rows: jax.Array, seen: jax.Array) -> jax.Array:
        known = jnp.all(rows[:, None, :] == seen[None, :, :], axis=2).astype(rows.dtype)
        memorise = jnp.asarray(self.memorise, rows.dtype)
        features = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
        return jnp.concatenate([memorise * known, (1 - memorise) * features], axis=1)


def remembering(x: jax.Array, y: jax.Array) -> Callable[[float], Memory]:
    return lambda memorise: Memory(x, y, memorise)


@pytest.mark.parametrize("n", [3, 12])
def test_memorising_pairs_does_not_pay(n):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(n, 6)), jnp.float32)
    assert choose_setting(remembering, x, x, [1.0, 0.0]) == 0.0


@pytest.mark.parametrize("n", [3, 13])
def test_each_pair_is_held_out_and_fits_compile_once(n):
    seen, traces = [], []

    @jax.jit
    def compiled(x: jax.Array, y: jax.Array, shrinkage: jax.Array) -> Maps:
        traces.append(x.shape)
        return cca(x, y, shrinkage=shrinkage)

    def fit(x: jax.Array, y: jax.Array) -> Callable[[float], Maps]:
        seen.append(set(np.asarray(x[:, 0]).tolist()))
        return lambda shrinkage: compiled(x, y, shrinkage)

    x, y = noisy_low_rank(n)
    choose_setting(fit, x, y, CANDIDATES)
    folds = min(n, 5)
    assert len(seen) == folds
    assert traces == [(n - -(-n // folds), 40)]
    assert not set.intersection(*seen)


def test_aligners_of_any_kind_and_precision():
    x, y = noisy_low_rank(20)
    assert choose_setting(lambda x, y: lambda p: relative(x, y, power=p), x, y, [1, 8]) in (1, 8)
    with jax.enable_x64(True):
        x, y = (jnp.asarray(np.asarray(z), jnp.float64) for z in (x, y))
        assert choose_setting(shrunk, x, y, np.array(CANDIDATES)) in CANDIDATES


def test_without_information_the_first_is_chosen():
    x, y = jnp.ones((12, 4)), jnp.ones((12, 3))
    assert choose_setting(shrunk, x, y, CANDIDATES) == CANDIDATES[0]


def test_two_pairs_cannot_be_split():
    x, y = noisy_low_rank(2)
    with pytest.raises(ValueError, match="At least 3 pairs are needed to learn from, not 2"):
        choose_setting(shrunk, x, y, CANDIDATES)
