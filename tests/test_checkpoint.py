import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.checkpoint import Checkpoints, digest

# Orbax drops its pending reads when one fails, and Python reports them whenever they are collected:
# by the fixture below, before a test of another file does.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

RECALL = {1: 0.1, 2: 0.5, 3: 0.2, 4: 0.3, 5: 0.4}


@pytest.fixture(autouse=True)
def collected():
    yield
    gc.collect()


def state(step):
    weights = jax.random.normal(jax.random.key(step), (50, 20))
    return {"step": jnp.int32(step), "weights": weights, "moments": (weights * 2, jnp.ones(3))}


def save(folder, *steps):
    with Checkpoints(folder) as checkpoints:
        for step in steps:
            checkpoints.save(step, state(step), {"mean_recall": RECALL[step]})


def restore(folder, **options):
    with Checkpoints(folder) as checkpoints:
        return checkpoints.restore(state(0), **options)


def kept(folder):
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def assert_same(restored, step):
    assert int(restored["step"]) == step
    assert jax.tree.structure(restored) == jax.tree.structure(state(step))
    jax.tree.map(np.testing.assert_array_equal, restored, state(step))


def test_newest_and_best(tmp_path):
    save(tmp_path, 1, 2, 3, 4, 5)
    assert_same(restore(tmp_path), 5)
    assert_same(restore(tmp_path, best=True), 2)
    assert kept(tmp_path) == [2, 4, 5]


def test_nothing_to_restore(tmp_path):
    assert restore(tmp_path) is None
    assert restore(tmp_path, best=True) is None


def largest_file(folder):
    return max(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def flip_a_byte(folder):
    path = largest_file(folder / "state")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(folder):
    path = largest_file(folder / "state")
    path.write_bytes(path.read_bytes()[:100])


def lose_the_digest(folder):
    for path in sorted((folder / "digest").rglob("*"), reverse=True):
        path.unlink()
    (folder / "digest").rmdir()


def empty(folder):
    folder.rename(folder.with_name("moved"))
    folder.mkdir()


DAMAGE = pytest.mark.parametrize("damage", [flip_a_byte, truncate, lose_the_digest, empty])


@DAMAGE
def test_a_damaged_step_is_skipped_with_a_message_and_saved_again(tmp_path, damage, capsys):
    save(tmp_path, 1, 2, 3)
    damage(tmp_path / "3")
    assert_same(restore(tmp_path), 2)
    assert "Checkpoint 3 cannot be used and is skipped: " in capsys.readouterr().out
    save(tmp_path, 3)
    assert_same(restore(tmp_path), 3)
    assert capsys.readouterr().out == ""


def test_a_stray_folder_does_not_stop_saving(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "99").mkdir()
    assert_same(restore(tmp_path), 1)
    save(tmp_path, 2)
    assert_same(restore(tmp_path), 2)
    assert kept(tmp_path) == [1, 2]


@DAMAGE
def test_a_damaged_best_step_is_skipped_and_left_alone(tmp_path, damage):
    save(tmp_path, 1, 2, 3)
    damage(tmp_path / "2")
    assert_same(restore(tmp_path, best=True), 3)
    assert kept(tmp_path) == [2, 3]


def test_no_sound_step(tmp_path):
    save(tmp_path, 1, 2)
    for step in kept(tmp_path):
        flip_a_byte(tmp_path / str(step))
    assert restore(tmp_path) is None
    assert kept(tmp_path) == []


def test_a_step_of_another_shape_or_type_is_not_taken(tmp_path):
    save(tmp_path, 1)
    for other in (
        state(0) | {"weights": jnp.zeros((50, 21))},
        state(0) | {"weights": jnp.zeros((50, 20), jnp.bfloat16)},
    ):
        with Checkpoints(tmp_path) as checkpoints:
            assert checkpoints.restore(other, best=True) is None


def test_digest_sees_names_types_shapes_and_bits():
    base = {"a": np.zeros((2, 3), np.float32)}
    others = [
        {"b": base["a"]},
        {"a": base["a"].reshape(3, 2)},
        {"a": base["a"].astype(np.int32)},
        {"a": -base["a"]},
    ]
    assert digest(base) == digest({"a": jnp.zeros((2, 3))})
    assert digest(base) not in map(digest, others)
