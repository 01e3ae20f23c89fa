"""The losses as the paper's public demo computes them, to reproduce its figures.

They grow with the batch, count a query's own kernel and overflow for distant sets: see
docs/method.md. For training prefer the forms in `gentle_clip_jax.losses`.
"""

import math

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, contrastive, pairwise

_SMALL = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_NINETEEN = (*_SMALL, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 100.0, 1e3, 1e4, 1e5, 1e6)


def mmd_single(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the squared MMD of x [n, d] and y [m, d] with k(a, b) = exp(-||a - b||^2)."""
    return _mmd(x, y, (0.5,))


def mmd_nineteen(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the squared MMD of x [n, d] and y [m, d]; k sums 19 Gaussians from 1e-6 to 1e6."""
    return _mmd(x, y, _NINETEEN)


def semantic_density(x: jax.Array, y: jax.Array, *, bandwidth: float = 0.5) -> jax.Array:
    """Return SDD: (J(X; Y) + J(Y; X)) (1 / r(X) + 1 / r(Y)) of x [n, d] and y [m, d].

    J(X; Y) = sum_{q in X} (p(q; X) - p(q; Y)) (log p(q; X) - log p(q; Y)),
    p(q; D) = 3/16 sum_j exp(-||q - D_j||^2 / (4 h^2 V(D))) / (2 pi h^2),
    r(D) = sum_k (max_j D_jk - min_j D_jk)^2, V(D) = the total variance, h = the bandwidth.

    Source: arXiv 2406.05766, section 3, with the constants of the public demo.

    >>> x = jnp.array([[0.0], [1.0]])
    >>> float(semantic_density(x, x))
    0.0
    """
    arguments.two_sets(x, y)
    arguments.positive(bandwidth=bandwidth)
    x, _ = pairwise.rows(x)
    y, _ = pairwise.rows(y)
    between = pairwise.squared_distance(x, y)
    within_x, within_y = pairwise.squared_distance_within(x), pairwise.squared_distance_within(y)
    variance_x = jnp.sum(jnp.var(x, axis=0, ddof=1))
    variance_y = jnp.sum(jnp.var(y, axis=0, ddof=1))

    def density(distance: jax.Array, variance: jax.Array) -> jax.Array:
        kernel = jnp.exp(-distance / (4 * bandwidth**2 * variance))
        return 3 / 16 * jnp.sum(kernel, axis=1) / (2 * math.pi * bandwidth**2)

    def divergence(p: jax.Array, q: jax.Array) -> jax.Array:
        return jnp.sum((p - q) * (jnp.log(p) - jnp.log(q)))

    def squared_span(x: jax.Array) -> jax.Array:
        # By index: the gradient of max divides by the number of entries equal to the maximum, which
        # is 0 if a compiler computes x twice with different rounding.
        ends = (jnp.argmax(x, axis=0), jnp.argmin(x, axis=0))
        most, least = (jnp.take_along_axis(x, end[None], axis=0) for end in ends)
        return jnp.sum(jnp.square(most - least))

    j_x = divergence(density(within_x, variance_x), density(between, variance_y))
    j_y = divergence(density(within_y, variance_y), density(between.T, variance_x))
    return (j_x + j_y) * (1 / squared_span(x) + 1 / squared_span(y))


def clip(
    x: jax.Array, y: jax.Array, num_matched: int, *, temperature: jax.Array | float = 0.05
) -> jax.Array:
    """Return CLIP of the first num_matched rows of x, y [n, d], with all n rows as candidates."""
    arguments.two_sets(x, y)
    arguments.whole(1, min(len(x), len(y)), num_matched=num_matched)
    return contrastive.clip_loss(
        x[:num_matched],
        y[:num_matched],
        temperature=temperature,
        unmatched_x=x[num_matched:],
        unmatched_y=y[num_matched:],
        block_size=0,
    )


def nt_xent(x: jax.Array, x_view: jax.Array, *, temperature: jax.Array | float = 0.05) -> jax.Array:
    """Return NT-Xent of x and x_view [n, d] on cosines: rows are scaled to unit length first."""
    arguments.alike(x=x, x_view=x_view)
    # Rows of unit length keep the value, but lose the radial part of the gradient.
    x, x_view = pairwise.normalize(x), pairwise.normalize(x_view)
    return contrastive.nt_xent_loss(x, x_view, temperature=temperature, block_size=0)


def gentle_clip_loss(
    x: jax.Array,
    y: jax.Array,
    *,
    num_matched: int,
    temperature: jax.Array | float = 0.05,
    x_view: jax.Array | None = None,
    y_view: jax.Array | None = None,
    clip_weight: float = 1.0,
    mmd_weight: float = 0.2,
    sdd_weight: float = 0.7,
    ssl_weight: float = 0.15,
    ssl_temperature: float = 0.05,
    sdd_bandwidth: float = 0.5,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Return the paper's objective, (total, terms), as its authors' demo computes it.

    Default weights are those of the demo.

    The arguments are those of `losses.gentle_clip_loss`.
    """
    arguments.two_sets(x, y)
    arguments.alike(x=x, x_view=x_view)
    arguments.alike(y=y, y_view=y_view)
    arguments.known(clip_weight=clip_weight, mmd_weight=mmd_weight, sdd_weight=sdd_weight)
    arguments.known(ssl_weight=ssl_weight)
    x, _ = pairwise.rows(x)
    y, _ = pairwise.rows(y)
    zero, terms = jnp.zeros((), x.dtype), {}
    if clip_weight:
        terms["clip"] = clip(x, y, num_matched, temperature=temperature)
    if mmd_weight:
        terms["mmd"] = mmd_single(x, y)
    if sdd_weight:
        terms["sdd"] = semantic_density(x, y, bandwidth=sdd_bandwidth)
    for z, view in ((x, x_view), (y, y_view)):
        if ssl_weight and view is not None:
            one = nt_xent(z, view, temperature=ssl_temperature)
            terms["ssl"] = terms.get("ssl", zero) + one
    weights = {"clip": clip_weight, "mmd": mmd_weight, "sdd": sdd_weight, "ssl": ssl_weight}
    return sum((weights[name] * term for name, term in terms.items()), start=zero), terms


def total(x: jax.Array, y: jax.Array, num_matched: int) -> jax.Array:
    """Return the demo's objective on interleaved views: rows 2k and 2k + 1 are one item.

    All terms but SSL use only the first views, of which the first num_matched are the pairs.
    """
    arguments.alike(x=x, y=y)
    if len(x) % 2:
        raise ValueError(f"x must hold both views of every item, but has {len(x)} rows.")
    value, _ = gentle_clip_loss(
        x[::2], y[::2], num_matched=num_matched, x_view=x[1::2], y_view=y[1::2]
    )
    return value


def _mmd(x: jax.Array, y: jax.Array, squared_bandwidths: tuple[float, ...]) -> jax.Array:
    arguments.two_sets(x, y)
    x, _ = pairwise.rows(x)
    y, _ = pairwise.rows(y)

    def mean_kernel(distance: jax.Array) -> jax.Array:
        # Minus 1, which cancels in the three means: kernels near 1 would lose float32 digits.
        kernels = (jnp.expm1(-distance / (2 * squared)) for squared in squared_bandwidths)
        return jnp.mean(sum(kernels, start=jnp.zeros_like(distance)))

    within_x = mean_kernel(pairwise.squared_distance_within(x))
    within_y = mean_kernel(pairwise.squared_distance_within(y))
    return within_x + within_y - 2 * mean_kernel(pairwise.squared_distance(x, y))
