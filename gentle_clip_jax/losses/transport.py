"""Entropic optimal transport between two sets, and the divergence of two plans. Needs ott-jax."""

import functools

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, pairwise


def transport_plan(
    x: jax.Array,
    y: jax.Array,
    *,
    epsilon: jax.Array | float,
    iterations: int = 100,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
) -> jax.Array:
    """Return the entropic transport plan [n, m] between two sets of equally heavy rows.

    argmin_P <P, C> + epsilon sum_ij P_ij log P_ij, C_ij = 1 - x_i . y_j, with row sums 1 / n and
    column sums 1 / m. The last half step sets the row sums: they are exact, the columns' nearly so.

    Args:
      x: [n, d] embeddings of unit length.
      y: [m, d] embeddings of unit length.
      epsilon: above 0.00012 in float32; the lower, the sharper the plan and the more iterations it
        needs.
      iterations: number of Sinkhorn iterations, without early stopping.
      where_x: [n] bool, the valid rows; the plan is 0 elsewhere.
      where_y: [m] bool.

    Returns:
      The plan [n, m], a constant under differentiation.

    Source: Cuturi 2013, arXiv 1306.0895; the solver is ott-jax's.

    >>> (2 * transport_plan(jnp.eye(2), jnp.eye(2)[::-1], epsilon=0.1)).round(3).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    _check(x, y, where_x, where_y, epsilon, iterations)
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    return jnp.exp(_log_plan(1 - pairwise.similarity(x, y), epsilon, iterations, where_x, where_y))


def plan_matching_loss(
    x: jax.Array,
    y: jax.Array,
    target: jax.Array,
    *,
    epsilon: jax.Array | float = 0.05,
    iterations: int = 100,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
) -> jax.Array:
    """Return the divergence of the plan between x and y from a target plan, such as a teacher's.

    KL(T || P) = sum_ij T_ij log(T_ij / P_ij), P = transport_plan(x, y), T = the target.

    With C_ij = 1 - x_i . y_j it is, up to a constant, (<T, C> - D(C)) / epsilon, where D is the
    value of the transport problem. D's gradient is its plan, so the gradient in C is
    (T - P) / epsilon, and nothing is differentiated through Sinkhorn's iterations: it is exact as
    far as these have converged, and second derivatives are not those of the loss.

    Args:
      x: [n, d] embeddings of unit length.
      y: [m, d] embeddings of unit length.
      target: [n, m] a plan with row sums 1 / n and column sums 1 / m, a constant.
      epsilon: epsilon of P; see `transport_plan` for this and the other arguments.

    Source: KLOT of SOTAlign, arXiv 2602.23353, theorem 5.1.

    >>> x, y = jnp.eye(3), jnp.eye(3)[::-1]
    >>> plan = transport_plan(x, y, epsilon=0.5)
    >>> float(plan_matching_loss(x, y, plan, epsilon=0.5))
    0.0
    """
    _check(x, y, where_x, where_y, epsilon, iterations)
    arguments.matrix((len(x), len(y)), target=target)
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    cost = 1 - pairwise.similarity(x, y)
    log_plan = _log_plan(cost, epsilon, iterations, where_x, where_y)
    target = jax.lax.stop_gradient(target.astype(cost.dtype))
    # NaN differs from zero, so that a target with NaN is not left out.
    empty = (target == 0) | ~(where_x[:, None] & where_y[None, :])
    ratio = jnp.log(jnp.where(empty, 1, target)) - jnp.where(empty, 0, log_plan)
    value = jnp.sum(jnp.where(empty, 0, target * ratio))
    push = jnp.where(where_x[:, None] & where_y[None, :], target - jnp.exp(log_plan), 0)
    slope = jnp.sum(push * cost) / jnp.asarray(epsilon, cost.dtype)
    return value + (slope - jax.lax.stop_gradient(slope))


def _check(
    x: jax.Array,
    y: jax.Array,
    where_x: jax.Array | None,
    where_y: jax.Array | None,
    epsilon: jax.Array | float,
    iterations: int,
) -> None:
    arguments.two_sets(x, y, where_x, where_y)
    arguments.whole(1, iterations=iterations)
    # Costs in units of a smaller epsilon are rounded so much that the sums of the plan are off.
    least = 1000 * jnp.finfo(jnp.float64 if x.dtype == jnp.float64 else jnp.float32).eps
    arguments.positive(above=float(least), epsilon=epsilon)


def _log_plan(
    cost: jax.Array,
    epsilon: jax.Array | float,
    iterations: int,
    where_x: jax.Array,
    where_y: jax.Array,
) -> jax.Array:
    """Return the logarithm of the plan [n, m], a constant; -inf where a row is not valid."""
    pairwise.forbid_axis("a transport plan")
    masses = (
        where.astype(cost.dtype) / jnp.maximum(pairwise.count(where, cost.dtype), 1)
        for where in (where_x, where_y)
    )
    scaled = cost / jnp.asarray(epsilon, cost.dtype)
    return _sinkhorn(*jax.lax.stop_gradient((scaled, *masses)), iterations)


@functools.partial(jax.jit, static_argnames="iterations")
def _sinkhorn(cost: jax.Array, a: jax.Array, b: jax.Array, iterations: int) -> jax.Array:
    """Return the logarithm of the plan [n, m] of a cost [n, m] in units of epsilon."""
    try:  # here, as it takes a second to load and no other loss needs it
        from ott.geometry.geometry import Geometry
        from ott.problems.linear.linear_problem import LinearProblem
        from ott.solvers.linear.sinkhorn import Sinkhorn
    except ModuleNotFoundError as error:
        raise ValueError(
            'transport plans need ott-jax: run pip install "gentle-clip-jax[transport]"'
        ) from error

    solver = Sinkhorn(
        inner_iterations=iterations,  # between two checks of the error: none is needed
        min_iterations=iterations,
        max_iterations=iterations,
        implicit_diff=None,
    )
    # ott-jax adds integers to floats and vectors to matrices.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        solved = solver(LinearProblem(Geometry(cost, epsilon=1.0), a, b))
    return solved.f[:, None] + solved.g[None, :] - cost
