import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gentle_clip_jax.optimizer import adamw, learning_rate

pytestmark = pytest.mark.usefixtures("promotion")
SETTINGS = {
    "tower_learning_rate": 1e-3,
    "head_learning_rate": 1e-2,
    "weight_decay": 0.0,
    "max_grad_norm": 1e9,
    "warmup_steps": 0,
    "steps": 100,
}
PARAMS = {
    "x_tower": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)},
    "y_tower": {"embedding": jnp.ones((4, 2))},
    "x_head": {"kernel": jnp.ones((2, 2)), "scale": jnp.ones(2)},
    "log_scale": jnp.float32(1.0),
}


def first_update(grads, **settings):
    optimizer = adamw(**SETTINGS | settings)
    return jax.jit(optimizer.update)(grads, optimizer.init(PARAMS), PARAMS)[0]


def test_towers_and_heads_have_rates_of_their_own():
    # The first step of Adam is the rate times the sign of the gradient.
    updates = first_update(PARAMS)
    for name, rate in {"x_tower": 1e-3, "y_tower": 1e-3, "x_head": 1e-2}.items():
        for leaf in jax.tree.leaves(updates[name]):
            np.testing.assert_allclose(leaf, -rate, rtol=1e-4)
    np.testing.assert_allclose(updates["log_scale"], -1e-2, rtol=1e-4)


def test_weight_decay_spares_vectors_and_scalars():
    updates = first_update(jax.tree.map(jnp.zeros_like, PARAMS), weight_decay=0.1)
    np.testing.assert_allclose(updates["x_tower"]["kernel"], -1e-4, rtol=1e-5)
    np.testing.assert_allclose(updates["y_tower"]["embedding"], -1e-4, rtol=1e-5)
    np.testing.assert_allclose(updates["x_head"]["kernel"], -1e-3, rtol=1e-5)
    for spared in (
        updates["x_tower"]["bias"],
        updates["x_head"]["scale"],
        updates["log_scale"],
    ):
        np.testing.assert_array_equal(spared, jnp.zeros_like(spared))


def test_frozen_parameters_keep_their_value_and_have_no_moments():
    params = {"x_tower": {"frozen": {"kernel": jnp.ones((3, 2))}, "trained": jnp.ones(2)}}
    optimizer = adamw(**SETTINGS | {"weight_decay": 0.1})
    state = optimizer.init(params)
    updates, state = jax.jit(optimizer.update)(params, state, params)
    np.testing.assert_array_equal(updates["x_tower"]["frozen"]["kernel"], jnp.zeros((3, 2)))
    assert np.all(updates["x_tower"]["trained"] != 0)
    assert (3, 2) not in {leaf.shape for leaf in jax.tree.leaves(state)}


def test_the_gradient_is_clipped_as_a_whole():
    """Adam's step forgets a common scale, its first moments don't."""
    optimizer = adamw(**SETTINGS | {"max_grad_norm": 1.0})
    state = optimizer.init(PARAMS)
    _, clipped = jax.jit(optimizer.update)(jax.tree.map(lambda p: 1e6 * p, PARAMS), state, PARAMS)
    moments = [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(clipped)
        if ".mu" in jax.tree_util.keystr(path)
    ]
    assert optax.tree.norm(moments) == pytest.approx(0.1, rel=1e-4)  # 1 - beta_1


def test_schedule_ends():
    schedule = learning_rate(2.0, warmup_steps=10, steps=110)
    assert schedule(0) == 0
    assert schedule(5) == pytest.approx(1.0)
    assert schedule(10) == pytest.approx(2.0)
    assert schedule(60) == pytest.approx(1.0)
    assert schedule(110) == pytest.approx(0.0, abs=1e-6)
    assert schedule(500) == pytest.approx(0.0, abs=1e-6)
    rates = [float(schedule(step)) for step in range(111)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_fewer_steps_than_warm_up_still_warms_up():
    schedule = learning_rate(1.0, warmup_steps=10, steps=4)
    assert schedule(4) == pytest.approx(0.4)
