"""Every key of every shipped config, given what it cannot be: one sentence, at once."""

import pathlib
import re
import zlib

import pytest
from config_reads import leaves

from gentle_clip_jax.tasks import TASKS, default_config
from gentle_clip_jax.tasks.config import load_config
from gentle_clip_jax.training.check import check

NAMES = sorted(path.stem for path in pathlib.Path(__file__).parents[2].glob("configs/[!_]*.py"))
FEW = ("icons", "remote_sensing", "protein")  # one of each task
TYPED = [
    "", " ", "-1", "0", "1", "2", "1000", "2.5", "nan", "inf", "-inf", "1e20", "1e400",
    "1000000000", "99999999999999999999", "[/b]", "None", "True", "()", "(", "(1, 2)",
    "('a',)", "{}", "x" * 5000, "\udcff", "a:b:c", "*", "--config.seed=1",
]  # fmt: skip
VALUES = [
    None, True, 0, 1, -1, 2.5, 1e9, 1e20, 10**30, float("nan"), float("inf"), "", "x", b"x", (), [],
    (1,), ("",), ("a", None), {}, object(),
]  # fmt: skip


def checked(config):
    """The sentence of a refusal, None if the config is accepted."""
    try:
        check(config)
    except ValueError as error:
        return str(error)
    return None


def is_sentence(said):
    return said.count("\n") == 0 and said.endswith(".") and "config" in said


def try_typed(name, share, first=0):
    """How many values are refused, of each key's own share of them; other `first`, other values."""
    refused = 0
    for key in leaves(load_config(name)):
        for value in TYPED[(zlib.crc32(key.encode()) + first) % share :: share]:
            try:
                config = load_config(name, [f"--{key}={value}"])
                said = checked(config)
            except ValueError as error:
                said = str(error)
            assert said is None or is_sentence(said), (key, value, said)
            assert said is None or len(said) < 600, (key, value, said)
            refused += said is not None
    return refused


@pytest.mark.parametrize("name", FEW)
def test_some_values_of_the_command_line(name, record_property):
    record_property("tries", len(leaves(load_config(name))) * len(TYPED) // 7)
    assert try_typed(name, share=7) > 1.5 * len(leaves(load_config(name)))


def of_one_task(name):
    """The configs that have the same keys, with the same limits."""
    task = load_config(name).get("task")
    return [other for other in NAMES if load_config(other).get("task") == task]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_the_command_line(name, record_property):
    """Each key is given each value once, by one of the configs of its task."""
    alike = of_one_task(name)
    number = len(leaves(load_config(name)))
    record_property("tries", number * len(TYPED) // len(alike))
    assert try_typed(name, len(alike), alike.index(name)) > 10 * number / len(alike)


@pytest.mark.parametrize("name", FEW)
def test_values_of_a_users_own_file(name, record_property):
    """There a value may be of any type."""
    sound = load_config(name)
    record_property("tries", len(leaves(sound)) * len(VALUES))
    for key in leaves(sound):
        for value in VALUES:
            config = sound.copy_and_resolve_references()
            config.unlock()
            *parents, last = key.split(".")[1:]
            part = config
            for parent in parents:
                part = part[parent]
            with part.ignore_type():
                part[last] = value
            said = checked(config)
            assert said is None or is_sentence(said), (key, value, said)


@pytest.mark.parametrize("name", FEW)
def test_a_key_that_is_missing_is_named(name, record_property):
    sound = load_config(name)
    record_property("tries", len(leaves(sound)))
    for key in leaves(sound):
        config = sound.copy_and_resolve_references()
        config.unlock()
        *parents, last = key.split(".")[1:]
        part = config
        for parent in parents:
            part = part[parent]
        del part[last]
        if key != "config.task":
            assert key in checked(config)


@pytest.mark.parametrize("task", TASKS)
def test_every_key_has_its_bounds_and_its_unit(task):
    """In the sentence of its refusal."""
    of_kind = {
        bool: "True or False",
        int: r"a whole number (from|above) [-\d]+ to (below )?[\d]+ \(.+\)",
        float: r"a number (from|above) [-\d.e+]+ to (below )?[\d.e+]+ \(.+\)",
        str: r"(a text of up to 1000 characters \(.+\)|one of [a-z_, ]+|[a-z0-9]+ or [a-z0-9]+)",
        tuple: r"a tuple of texts of up to 1000 characters \(.+\)",
    }
    sound = default_config(task)
    for key, value in leaves(sound).items():
        if key == "config.task":
            continue
        config = sound.copy_and_resolve_references()
        *parents, last = key.split(".")[1:]
        part = config
        for parent in parents:
            part = part[parent]
        with part.ignore_type():
            part[last] = b"x"
        assert re.fullmatch(rf"{key} must be {of_kind[type(value)]}, not b'x'\.", checked(config))


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configs_are_within(name):
    config = load_config(name)
    if name == "remote_sensing_clip":
        return  # it needs a download
    assert checked(config) is None


@pytest.mark.parametrize(
    "override",
    [
        "loss.clip_weight=-1", "loss.sdd_weight=-0.1", "optimizer.tower_learning_rate=-1e-3",
        "optimizer.weight_decay=-1", "model.head_dropout=2", "model.image.dropout=1",
        "train.average_decay=2", "train.average_decay=-1", "train.average_decay=1",
        "model.embedding_dim=1000000000", "loss.temperature=inf", "loss.temperature=nan",
        "loss.ssl_temperature=0", "loss.ssl_temperature=-0.1", "loss.sdd_bandwidth=0",
        "model.image.patch_size=0", "model.image.patch_size=1000", "model.image.patch_size=6",
        "seed=100000000000000000000", "seed=-1", "optimizer.max_grad_norm=0",
        "views.image.erase=1.5", "views.image.stroke=2", "data.size=100000", "mesh.fsdp=0",
        "data.matched_fraction=1.5", "data.vocab_size=0", "train.steps=0",
    ],
)  # fmt: skip
def test_what_was_accepted_before(override):
    config = load_config("icons", [f"--config.{override}"])
    key = override.partition("=")[0]
    assert f"config.{key}" in checked(config)
    if key not in ("model.image.patch_size",):
        assert "must be a" in checked(config)


def test_sets_and_splits():
    for entry in ("rsicd", ":test", "a:b:c"):
        config = load_config("remote_sensing", [f"--config.data.zero_shot=('{entry}',)"])
        assert f"not {entry}" in checked(config)
    twice = load_config("remote_sensing", ["--config.data.zero_shot=('a:', 'a:test')"])
    assert "each set once" in checked(twice)
