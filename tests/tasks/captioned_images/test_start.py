"""The heads' start in a run's cache: of its own config, and sound, or made again."""

import damages
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.tasks.captioned_images import start

PARAMS = {
    "x_head": {"map": {"kernel": jnp.arange(300.0).reshape(20, 15)}},
    "y_head": {"map": {"kernel": jnp.ones((3, 2))}},
    "x_tower": {},
}


def is_same(found):
    heads = (found["x_head"], found["y_head"])
    wanted = (PARAMS["x_head"], PARAMS["y_head"])
    return all(
        np.array_equal(a["map"]["kernel"], b["map"]["kernel"]) for a, b in zip(heads, wanted)
    )


def test_a_start_of_another_config_is_not_taken(tmp_path):
    path = tmp_path / "cache" / "start.npz"
    assert start.load(path, PARAMS, "a") is None
    start.save(path, PARAMS, "a")
    assert is_same(start.load(path, {"x_tower": {}}, "a"))
    assert start.load(path, PARAMS, "b") is None
    assert is_same(start.load(path, PARAMS, "a"))


@pytest.mark.parametrize("way", damages.DAMAGES)
def test_a_damaged_start_is_named_and_put_aside(tmp_path, way, notices):
    path = tmp_path / "start.npz"
    start.save(path, PARAMS, "a")
    path.write_bytes(damages.DAMAGES[way](path.read_bytes()))
    damaged = path.read_bytes()
    assert start.load(path, PARAMS, "a") is None
    assert f"{path} is damaged (" in notices()
    assert path.with_name("start.npz.unsound").read_bytes() == damaged
