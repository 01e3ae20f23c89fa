"""What a step and the steps of a run do, on towers of one matrix each."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_run

from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import loop, step, train_state
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.train_state import TrainState

RNG = np.random.default_rng(0)
BATCH = {
    part: {side: RNG.normal(size=(rows, 3)).astype(np.float32) for side in "xy"}
    for part, rows in (("matched", 4), ("unmatched", 2))
}
X, Y = (np.concatenate([BATCH[part][side] for part in ("matched", "unmatched")]) for side in "xy")


class Towers:
    """Rows times a matrix."""

    def apply(self, variables, *rows, method, **_):
        return method(variables["params"], *rows)

    def embed_x(self, params, rows):
        return rows @ params["x"]

    def embed_y(self, params, rows):
        return rows @ params["y"]

    def temperature(self, params):
        return jnp.float32(0.5)


def loss(rows, temperature, objective, settings, model):
    return jnp.sum(rows.x) + 2 * jnp.sum(rows.y), {}


def recipe(**changes):
    settings = {
        "task": types.SimpleNamespace(loss=loss),
        "model": Towers(),
        "objective": None,
        "optimizer": optax.sgd(0.1),
        "seed": 0,
        "views": lambda key, batch: (jnp.asarray(X), jnp.asarray(Y)),
        "has_views": False,
        "temperature": None,
        "settings": {},
        "average_decay": 0.9,
    }
    return step.Recipe(**(settings | changes))


def state(number: int = 0) -> TrainState:
    params, average = ({side: jnp.full((3, 2), value) for side in "xy"} for value in (1.0, 5.0))
    return TrainState(jnp.int32(number), jnp.int32(0), params, average, optax.sgd(0.1).init(params))


@pytest.fixture(autouse=True)
def few_metrics(monkeypatch):
    monkeypatch.setattr(step, "alignment_metrics", lambda x, y: {})


def test_parameters_descend_and_their_average_trails_by_its_decay():
    new, metrics = step.train_step(state(), BATCH, recipe=recipe())
    slopes = {"x": X.sum(0)[:, None] * np.ones(2), "y": 2 * Y.sum(0)[:, None] * np.ones(2)}
    for side, slope in slopes.items():
        np.testing.assert_allclose(new.params[side], 1 - 0.1 * slope, rtol=1e-4, atol=1e-5)
        expected = 0.9 * 5 + 0.1 * np.asarray(new.params[side])
        np.testing.assert_allclose(new.average[side], expected, rtol=1e-6)
    norm = np.sqrt(sum(np.sum(slope**2) for slope in slopes.values()))
    assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=1e-4)
    assert (int(new.step), int(new.skipped)) == (1, 0)


class Seen(Exception):
    """What was looked for has been seen."""


def keys_of(monkeypatch, number, seed):
    """The keys of views and of dropout in the step after `number`."""
    found = []

    def views(key, batch, recipe):
        found.append(key)
        return X, Y

    def gradients(params, inputs, key, *_):
        found.append(key)
        raise Seen

    monkeypatch.setattr(step, "random_views", views)
    monkeypatch.setattr(step, "gradients", gradients)
    with pytest.raises(Seen):
        step.train_step(state(number), BATCH, recipe=recipe(seed=seed))
    return [np.asarray(jax.random.key_data(key)).tobytes() for key in found]


def test_every_step_of_every_seed_has_its_own_views_and_dropout(monkeypatch):
    keys = [keys_of(monkeypatch, number, seed) for number in (0, 1, 2) for seed in (0, 1)]
    assert len({key for pair in keys for key in pair}) == 12
    assert keys_of(monkeypatch, 1, 1) == keys[3]


def test_the_second_view_is_drawn_apart_from_the_first():
    def views(key, batch):
        return tuple(jax.random.normal(one, (6, 3)) for one in jax.random.split(key))

    key = jax.random.key(3)
    for rows in step.random_views(key, BATCH, recipe(views=views, has_views=True)):
        assert rows.shape == (12, 3)
        assert not np.any(np.asarray(rows[:6]) == np.asarray(rows[6:]))
    for one, other in zip(step.random_views(key, BATCH, recipe(views=views)), views(key, BATCH)):
        np.testing.assert_array_equal(one, other)


def test_the_teacher_sees_unmatched_rows_with_the_parameters_of_the_start():
    taught = []

    def note(rows, *_):
        taught.append((rows.num_matched, *rows.teacher))
        return jnp.sum(rows.x), {}

    teacher = {side: jnp.full((3, 2), 7.0) for side in "xy"}
    task = types.SimpleNamespace(loss=note)
    step.train_step(state(), BATCH, teacher, recipe=recipe(task=task))
    num_matched, x, y = taught[0]
    assert num_matched == 4
    np.testing.assert_allclose(x, X[4:] @ np.full((3, 2), 7.0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(y, Y[4:] @ np.full((3, 2), 7.0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", [None, "loss/total", "grad_norm"])
def test_one_number_that_is_not_finite_keeps_all_but_the_step(bad):
    old = state(4)._replace(skipped=jnp.int32(2))
    new = jax.tree.map(lambda leaf: leaf + 1, old)
    metrics = {"loss/total": jnp.float32(1), "grad_norm": jnp.float32(2)}
    if bad:
        metrics[bad] = jnp.float32(np.inf)
    kept = step._unless_bad(new, old, metrics)
    assert (int(kept.step), int(kept.skipped)) == (5, 3 if bad else 2)
    for name in ("params", "average"):
        expected = getattr(old if bad else new, name)
        jax.tree.map(np.testing.assert_array_equal, getattr(kept, name), expected)


@pytest.mark.parametrize("microbatches", [2, 3])
def test_gradients_in_parts_are_those_of_the_whole(microbatches):
    params = {side: jnp.asarray(RNG.normal(size=(3, 2)), jnp.float32) for side in "xy"}

    def embed(params, inputs, key):
        return tuple(jnp.tanh(rows @ params[side]) for side, rows in zip("xy", inputs))

    def objective(params, x, y):
        return jnp.vdot(x @ y.T, x @ y.T) + jnp.sum(params["x"] ** 2), {"first": x[0, 0]}

    def of(parts):
        inputs = jnp.asarray(X), jnp.asarray(Y)
        return step.gradients(params, inputs, jax.random.key(0), embed, objective, parts)

    (whole, metrics), (parted, same) = of(1), of(microbatches)
    for side in "xy":
        np.testing.assert_allclose(parted[side], whole[side], rtol=1e-4, atol=1e-5)
    assert float(same["first"]) == pytest.approx(float(metrics["first"]))


def test_the_average_starts_as_the_parameters():
    params = {"x_tower": {"kernel": jnp.ones((3, 2))}, "x_head": {"kernel": jnp.full((2, 2), 3.0)}}
    task = types.SimpleNamespace(init_params=lambda config, dataset, model: params)
    begun = train_state.init_state(tiny_run.config(), task, None, None)
    jax.tree.map(np.testing.assert_array_equal, begun.average, params)
    assert (int(begun.step), int(begun.skipped)) == (0, 0)


class Notes:
    """Stands in for the checkpoints, the log and the request to stop of a run."""

    may_leave, workdir = True, None

    def __init__(self):
        self.saved, self.validated, self.batches = [], [], []

    def save(self, number, state, score):
        self.saved.append((number, float(state.average["x"][0, 0]), score))

    def write_validation(self, number, figures, headline):
        self.validated.append((number, headline))

    def add(self, *_):
        pass

    def write_train(self, **_):
        pass

    def at(self, number):
        return False


def steps_of_a_run(monkeypatch, first=0, **overrides):
    """What was validated and saved; parameters grow by 1 a step, their average by 10."""
    measured, notes = [], Notes()

    def validate(model, params, dataset):
        measured.append(float(params["x"][0, 0]))
        return {"mean_recall": len(measured) / 10, "other": 0.0}

    def advance(old, batch):
        notes.batches.append(batch)
        grown = {"params": old.params["x"] + 1, "average": old.average["x"] + 10}
        return old._replace(step=old.step + 1, **{k: {"x": v} for k, v in grown.items()}), {}

    monkeypatch.setattr(icons, "validate", validate)
    monkeypatch.setattr(loop.batching, "batch_at", lambda *_: lambda number: number)
    config = tiny_run.config(**{"train.steps": 5, "train.checkpoint_every": 2} | overrides)
    loop._run(config, None, None, state(first), advance, notes, notes, notes)
    return measured, notes


def test_the_average_is_validated_and_its_headline_scores_the_checkpoint(monkeypatch):
    measured, notes = steps_of_a_run(monkeypatch)
    assert measured == [25.0, 45.0, 55.0]  # from 5 on, after steps 2, 4 and 5
    assert notes.saved == [(2, 25.0, 0.1), (4, 45.0, 0.2), (5, 55.0, 0.3)]
    assert notes.validated == [(2, "mean_recall"), (4, "mean_recall"), (5, "mean_recall")]


@pytest.mark.parametrize(("first", "expected"), [(0, [0, 2, 4, 5]), (3, [4, 5])])
def test_the_start_is_a_candidate_once_where_it_is_to_be_kept(monkeypatch, first, expected):
    _, notes = steps_of_a_run(monkeypatch, first, **{"train.keep_start": True})
    assert [number for number, *_ in notes.saved] == expected


def test_every_step_has_its_own_batch(monkeypatch):
    """Batch k is what follows k steps, whenever a run begins."""
    for first in (0, 3):
        _, notes = steps_of_a_run(monkeypatch, first)
        assert notes.batches == [*range(first, 5)]


def test_an_average_that_differs_by_a_bit_is_passed_over(tmp_path, notices):
    average = {"kernel": jnp.asarray(RNG.normal(size=(50, 20)), jnp.float32)}
    with Checkpoints(tmp_path) as checkpoints:
        for number in (1, 2):
            checkpoints.save(number, {"average": average}, number / 10)
    files = [path for path in (tmp_path / "2" / "state").rglob("*") if path.is_file()]
    path = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.restore_best_average().step == 1
    assert "average/kernel changed after it was saved" in notices()
