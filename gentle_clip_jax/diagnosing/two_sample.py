"""Two-sample tests by permutation, with the kernel of `losses.multi_kernel_mmd`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.losses import bandwidth_ladder, kernels, mmd, pairwise

_PERMUTATIONS = 499


class Permutation(NamedTuple):
    """A statistic and its values [b] on permuted data, under the null hypothesis."""

    value: float
    null: np.ndarray

    @property
    def p_value(self) -> float:
        """Return the share of permutations, including the data, that reach the value."""
        return float((1 + np.sum(self.null >= self.value)) / (1 + len(self.null)))


def mmd_test(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Permutation:
    """Test if x [n, d] and y [m, d] have one distribution, by the unbiased MMD of permuted rows.

    Source: Gretton et al. 2012, JMLR 13, sections 2 and 5.
    """
    kernel = _kernel(x, y)
    in_x = _permuted(len(x), len(y), rng)
    value, *null = _mmd(kernel, in_x, ~in_x)
    return Permutation(float(value), np.array(null))


class ExcessTest(NamedTuple):
    """MMDs of the unmatched sets and of the pairs, and their difference."""

    unmatched: float
    pairs: float
    excess: Permutation


def excess_test(
    x: np.ndarray,
    y: np.ndarray,
    unmatched_x: np.ndarray,
    unmatched_y: np.ndarray,
    rng: np.random.Generator,
) -> ExcessTest:
    """Test if the unmatched sets [u, d] and [v, d] differ more than the pairs x and y [n, d].

    Two modalities never have quite one distribution, so the pairs measure their distance at equal
    meaning. Null: matched items are a random sample of all items; so the permutations reassign
    within each modality which items are matched. A pair's own similarity is left out.
    """
    n = len(x)
    kernel = _kernel(np.concatenate([x, unmatched_x]), np.concatenate([y, unmatched_y]))
    pair_y = n + len(unmatched_x) + np.arange(n)
    kernel[np.arange(n), pair_y] = kernel[pair_y, np.arange(n)] = 0
    matched_x = _permuted(n, len(unmatched_x), rng)
    matched_y = _permuted(n, len(unmatched_y), rng)
    no_x, no_y = np.zeros_like(matched_x), np.zeros_like(matched_y)
    apart = [
        _mmd(kernel, np.hstack([in_x, no_y]), np.hstack([no_x, in_y]))
        for in_x, in_y in ((~matched_x, ~matched_y), (matched_x, matched_y))
    ]
    excess = apart[0] - apart[1]
    return ExcessTest(
        float(apart[0][0]), float(apart[1][0]), Permutation(float(excess[0]), excess[1:])
    )


def opposite_halves(x: np.ndarray) -> float:
    """Return the MMD between halves of x [n, d] along its first principal axis, which is large."""
    x = x - x.mean(axis=0)
    order = np.argsort(x @ np.linalg.svd(x, full_matrices=False)[2][0], kind="stable")
    in_low = np.zeros((1, len(x)), bool)
    in_low[0, order[: len(x) // 2]] = True
    return float(_mmd(_kernel(x, x[:0]), in_low, ~in_low)[0])


def _permuted(n: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """Return masks [1 + permutations, n + m] of n rows each, the first of them unpermuted."""
    masks = np.tile(np.arange(n + m) < n, (1 + _PERMUTATIONS, 1))
    masks[1:] = rng.permuted(masks[1:], axis=1)
    return masks


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the kernel [n + m, n + m] between distinct rows, less its mean; 0 on the diagonal.

    The MMD cancels any constant; without it float32 sums round less.
    """
    kernel = np.array(_kernel_of(jnp.asarray(x), jnp.asarray(y)))
    distinct = ~np.eye(len(kernel), dtype=bool)
    return np.where(distinct, kernel - kernel.mean(where=distinct), np.float32(0))


@jax.jit
def _kernel_of(x: jax.Array, y: jax.Array) -> jax.Array:
    rates, squarings = mmd.ladder_rates(bandwidth_ladder(x, y))
    both = jnp.concatenate([x, y])
    both -= jnp.mean(both, axis=0)[None, :]
    distance = pairwise.squared_distance_within(both)
    return kernels.ladder(distance, tuple(rates), squarings) / (1 + squarings)


def _mmd(kernel: np.ndarray, in_x: np.ndarray, in_y: np.ndarray) -> np.ndarray:
    """Return unbiased squared MMDs [b] between the rows of two masks [b, n + m]."""
    in_x, in_y = in_x.astype(np.float32), in_y.astype(np.float32)
    n, m = in_x.sum(axis=1), in_y.sum(axis=1)
    from_x, from_y = in_x @ kernel, in_y @ kernel
    within_x = np.sum(from_x * in_x, axis=1) / (n * (n - 1))
    within_y = np.sum(from_y * in_y, axis=1) / (m * (m - 1))
    return within_x + within_y - 2 * np.sum(from_x * in_y, axis=1) / (n * m)
