import concurrent.futures
import gc
import hashlib
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gentle_clip_jax.parallel.mesh import num_blocks, split_axis
from gentle_clip_jax.training import manifest
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.manifest import digest

# Orbax drops its pending reads when one fails, and Python reports them whenever they are collected:
# by the fixture below, before a test of another file does.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

RECALL = {1: 0.1, 2: 0.5, 3: 0.2, 4: 0.3, 5: 0.4}


@pytest.fixture(scope="module")
def frozen():
    """What there was before is not looked through after each test: it is much."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def collected(frozen):
    yield
    gc.collect()


def state(step):
    weights = jax.random.normal(jax.random.key(step), (50, 20))
    return {"step": jnp.int32(step), "weights": weights, "moments": (weights * 2, jnp.ones(3))}


def save(folder, *steps):
    with Checkpoints(folder) as checkpoints:
        for step in steps:
            checkpoints.save(step, state(step), RECALL[step])


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


def alter_the_manifest(folder):
    path = folder / "manifest" / "metadata"
    path.write_text(path.read_text().replace("float32", "float16", 1))


def alter_the_score(folder):
    path = folder / "manifest" / "metadata"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"score": 0.9}))


def replace_the_manifest(folder):
    (folder / "manifest" / "metadata").write_text("[]")


def empty_the_manifest(folder):
    (folder / "manifest" / "metadata").write_bytes(b"")


def replace_what_orbax_keeps(folder):
    (folder / "_CHECKPOINT_METADATA").write_text("[]")


def lose_the_manifest(folder):
    for path in sorted((folder / "manifest").rglob("*"), reverse=True):
        path.unlink()
    (folder / "manifest").rmdir()


def lose_a_file(folder):
    largest_file(folder / "state").unlink()


def empty(folder):
    folder.rename(folder.with_name("moved"))
    folder.mkdir()


DAMAGES = [flip_a_byte, truncate, lose_a_file, lose_the_manifest, empty, alter_the_manifest]
DAMAGES += [alter_the_score, replace_the_manifest, empty_the_manifest, replace_what_orbax_keeps]
DAMAGE = pytest.mark.parametrize("damage", DAMAGES)


@DAMAGE
def test_a_damaged_step_is_skipped_with_a_message_and_saved_again(tmp_path, damage, notices):
    save(tmp_path, 1, 2, 3)
    damage(tmp_path / "3")
    assert_same(restore(tmp_path), 2)
    said = notices()
    assert said.startswith("Checkpoint 3 is damaged and is skipped: ")
    assert said.endswith(f"; its files are moved to {tmp_path / '3.unsound'}.")
    assert (tmp_path / "3.unsound").is_dir()
    save(tmp_path, 3)
    assert_same(restore(tmp_path), 3)
    assert notices() == ""


def test_a_step_is_saved_in_the_place_of_an_unsound_one(tmp_path):
    save(tmp_path, 1, 2)
    replace_the_manifest(tmp_path / "2")
    save(tmp_path, 2, 3, 4, 5)
    assert (tmp_path / "2.unsound").is_dir()
    assert kept(tmp_path) == [2, 4, 5]
    assert_same(restore(tmp_path, best=True), 2)


def test_a_stray_folder_does_not_stop_saving(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "99").mkdir()
    assert_same(restore(tmp_path), 1)
    save(tmp_path, 2)
    assert_same(restore(tmp_path), 2)
    assert kept(tmp_path) == [1, 2]


@DAMAGE
def test_a_damaged_older_step_is_named_and_put_aside_too(tmp_path, damage, notices):
    """Else the best step would go without a word when the next is saved."""
    if damage in (flip_a_byte, truncate, lose_a_file):
        pytest.skip("its arrays are read when it is wanted")
    save(tmp_path, 1, 2, 3, 4)
    damage(tmp_path / "2")
    assert_same(restore(tmp_path), 4)
    assert "Checkpoint 2 is damaged and is skipped: " in notices()
    assert (tmp_path / "2.unsound").is_dir()


@DAMAGE
def test_a_damaged_best_step_is_skipped_and_left_alone(tmp_path, damage):
    save(tmp_path, 1, 2, 3)
    damage(tmp_path / "2")
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert_same(checkpoints.restore(state(0), best=True), 3)
    assert kept(tmp_path) == [2, 3]


def test_what_was_altered_is_named(tmp_path, notices):
    save(tmp_path, 1)
    flip_a_byte(tmp_path / "1")
    assert restore(tmp_path) is None
    said = notices()
    assert re.search(r"skipped: checksum mismatch: (weights|moments/0) changed after", said)


def test_each_damaged_step_is_kept(tmp_path):
    for _ in range(3):
        save(tmp_path, 1)
        truncate(tmp_path / "1")
        assert restore(tmp_path) is None
    names = {path.name for path in tmp_path.iterdir()}
    assert {"1.unsound", "1.unsound-2", "1.unsound-3"} <= names


def test_no_sound_step(tmp_path):
    save(tmp_path, 1, 2)
    for step in kept(tmp_path):
        flip_a_byte(tmp_path / str(step))
    assert restore(tmp_path) is None
    assert kept(tmp_path) == []


def test_every_difference_to_what_is_wanted_is_named(tmp_path):
    """Orbax would cast, and take what it finds."""
    save(tmp_path, 1)
    ones = jnp.ones(3)
    others = {
        "weights has the shape [50, 20], not [50, 21]": {"weights": jnp.zeros((50, 21))},
        "weights has the dtype float32, not bfloat16": {
            "weights": jnp.zeros((50, 20), jnp.bfloat16)
        },
        "bias is missing": {"bias": ones},
        "moments/2 is missing": {"moments": (jnp.zeros((50, 20)), ones, ones)},
        "moments/1 is not expected": {"moments": (jnp.zeros((50, 20)),)},
    }
    everything = {"bias": ones, "weights": jnp.zeros((50, 21), jnp.bfloat16)}
    three = ("bias is", "shape [50, 20], not [50, 21]", "dtype float32, not bfloat16")
    for parts, other in [*(((k,), v) for k, v in others.items()), (three, everything)]:
        with Checkpoints(tmp_path) as checkpoints:
            start = f"^Checkpoint 1 in {tmp_path} is from another model: "
            with pytest.raises(ValueError, match=start) as error:
                checkpoints.restore(state(0) | other)
        assert all(part in str(error.value) for part in parts)
    assert_same(restore(tmp_path), 1)


def test_a_step_without_figures_is_newest_but_never_best(tmp_path):
    save(tmp_path, 1)
    for step in (2, 3, 4):
        with Checkpoints(tmp_path) as checkpoints:
            checkpoints.save(step, state(step), None)
    assert_same(restore(tmp_path), 4)
    assert_same(restore(tmp_path, best=True), 1)
    assert kept(tmp_path) == [1, 3, 4]


def test_what_cannot_be_written_is_said_in_a_sentence(tmp_path, monkeypatch):
    save(tmp_path, 1)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with Checkpoints(tmp_path) as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "save", full)
        with pytest.raises(OSError, match=r"^No checkpoint can be written to .*No space left"):
            checkpoints.save(2, state(2), None)
    assert_same(restore(tmp_path), 1)


def test_half_written_steps_of_a_killed_run_are_cleared_but_not_by_a_reader(tmp_path):
    save(tmp_path, 1)
    half = tmp_path / "2.orbax-checkpoint-tmp"
    half.mkdir()
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert_same(checkpoints.restore(state(0)), 1)
    assert half.exists()
    save(tmp_path, 3)
    assert not half.exists()
    assert kept(tmp_path) == [1, 3]


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


@pytest.mark.parametrize(("megabytes", "pools"), [(1, 0), (80, 1)])
def test_hashing_starts_one_pool_of_threads_or_none(monkeypatch, megabytes, pools):
    started = []

    class Counted(concurrent.futures.ThreadPoolExecutor):
        def __init__(self, *args, **options):
            started.append(self)
            super().__init__(*args, **options)

    monkeypatch.setattr(manifest, "ThreadPoolExecutor", Counted)
    tree = [np.full((megabytes, 2**16), k, np.float32) for k in range(4)]
    found = manifest.manifest(tree)
    assert len(started) == pools
    for entry, array in zip(found.values(), tree):
        blocks = np.split(array, num_blocks(array.shape), axis=split_axis(array.shape))
        digests = b"".join(hashlib.sha256(part.tobytes()).digest() for part in blocks)
        assert entry["sha256"] == hashlib.sha256(digests).hexdigest()


def test_the_manifest_does_not_depend_on_how_arrays_are_spread():
    """As it is in one process and as it is when each device holds a part."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rng = np.random.default_rng(0)
    for shape in ((8, 3), (3, 8), (7,), (12, 64, 2), ()):
        array = rng.normal(size=shape).astype(np.float32)
        axis, parts = split_axis(shape), num_blocks(shape)
        spec = [None] * len(shape)
        if shape and parts >= 4:
            spec[axis] = "data"
        spread = jax.device_put(array, NamedSharding(mesh, PartitionSpec(*spec)))
        assert manifest.manifest([array]) == manifest.manifest([spread])
        # Block by block, as processes that hold a part each would do it.
        blocks = {}
        for shard in spread.addressable_shards:
            first = (shard.index[axis].start or 0) if shape else 0
            blocks |= dict(manifest._blocks(shard.data, first, shape))
        whole = dict(manifest._blocks(array, 0, shape))
        assert blocks.keys() == whole.keys() == set(range(parts))
        for number, block in whole.items():
            np.testing.assert_array_equal(blocks[number], block)


def test_the_average_alone_is_restored_with_what_is_empty_in_it(tmp_path):
    """A tower without low-rank updates has an empty place for them, which it asks for."""
    average = {
        "tower": {"lora": {}, "trained": {"kernel": jnp.ones((3, 2))}},
        "scale": jnp.ones(()),
    }
    state = {"average": average, "opt_state": {"moments": jnp.zeros((3, 2))}}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, 0.1)
        checkpoints.save(2, jax.tree.map(lambda a: a + 1, state), 0.7)
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        step, found = checkpoints.restore_best_average()
    assert step == 2
    jax.tree.map(np.testing.assert_array_equal, found, jax.tree.map(lambda a: a + 1, average))


def test_an_average_that_was_altered_is_passed_over(tmp_path, notices):
    state = {"average": {"kernel": jnp.arange(4.0)}}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, 0.1)
        checkpoints.save(2, state, 0.7)
    for path in (tmp_path / "2" / "state" / "d").iterdir():
        path.write_bytes(bytes(len(path.read_bytes())))
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.restore_best_average().step == 1
    assert "Checkpoint 2 is damaged" in notices()
