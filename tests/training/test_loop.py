import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.data import batches
from gentle_clip_jax.losses.objectives import OBJECTIVES
from gentle_clip_jax.parallel import mesh
from gentle_clip_jax.runs.folder import read_config
from gentle_clip_jax.runs.read import lines_of, read_line
from gentle_clip_jax.runs.taken import locked, taken
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.tasks.rows import Rows
from gentle_clip_jax.training import batching, loop, train_state
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.step import gradients, recipe, train_step

pytestmark = pytest.mark.usefixtures("promotion")
DATASET = tiny_run.dataset()
CONFIG = tiny_run.config()
TERMS = {"loss/clip", "loss/mmd", "loss/sdd", "loss/ssl"}
OTHER_METRICS = {
    "loss/total",
    "alignment/mmd",
    "alignment/modality_gap",
    "temperature",
    "grad_norm",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the tiny config: its folder and its last state. Its step may be traced once."""
    workdir = tmp_path_factory.mktemp("run")
    with jax.numpy_dtype_promotion("standard"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(icons, "load_data", lambda config, workdir: DATASET)
        patch.setattr(loop, "train_step", chex.assert_max_traces(loop.train_step, 1))
        state = loop.train(CONFIG, workdir)
    return workdir, state


def read_lines(workdir, kind):
    lines = map(read_line, lines_of(workdir / "metrics.jsonl")[:-1])
    return [line for line in lines if line["kind"] == kind]


@pytest.mark.slow
def test_metrics_are_well_formed(run):
    workdir, _ = run
    lines = read_lines(workdir, "train")
    assert [line["step"] for line in lines] == list(range(1, 7))
    for line in lines:
        assert line.keys() == TERMS | OTHER_METRICS | {"step", "kind", "examples_per_second"}
        assert all(np.isfinite(v) for k, v in line.items() if k != "kind")
        terms = {name.removeprefix("loss/"): line[name] for name in TERMS}
        weighted = sum(CONFIG.loss[f"{name}_weight"] * value for name, value in terms.items())
        assert line["loss/total"] == pytest.approx(weighted, rel=1e-5)
    lines = read_lines(workdir, "validation")
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert all({"mean_recall", "zero_shot_accuracy"} <= line.keys() for line in lines)


def test_a_finished_run_is_done(run, monkeypatch, notices):
    workdir, state = run
    before = (workdir / "metrics.jsonl").read_text()
    monkeypatch.setattr(icons, "load_data", lambda config, workdir: DATASET)
    zeros = jax.tree.map(jnp.zeros_like, state)
    monkeypatch.setattr(train_state, "init_state", lambda *_: zeros)
    monkeypatch.setattr(loop, "train_step", pytest.fail)
    again = loop.train(CONFIG, workdir)
    jax.tree.map(np.testing.assert_array_equal, again, state)
    assert "all 6 steps are done" in " ".join(notices().split())
    assert (workdir / "metrics.jsonl").read_text() == before


def test_the_last_checkpoint_is_the_last_state(run):
    workdir, state = run
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        restored = checkpoints.restore(state)
    jax.tree.map(np.testing.assert_array_equal, restored, state)


def test_the_average_trails_the_parameters(run):
    _, state = run
    differences = jax.tree.map(
        lambda p, a: np.abs(np.asarray(p) - np.asarray(a)).max(), state.params, state.average
    )
    assert max(jax.tree.leaves(differences)) > 0


def test_another_config_is_refused(run):
    workdir, _ = run
    with pytest.raises(ValueError, match=r"config.seed was 0, is 1\): choose another --workdir"):
        loop.train(tiny_run.config(seed=1), workdir)


def test_no_held_out_item_is_trained_on():
    """What the steps are fed never depends on the held-out items."""
    empty = batches.Pairs(
        *(rows[:1] for rows in (DATASET.test.x, DATASET.test.y, DATASET.test.names))
    )
    sizes = {"num_matched": 8, "num_unmatched": 8}
    bare = batches.Dataset(**vars(DATASET) | {"validation": empty, "test": empty})
    for step in range(8):
        one, other = (
            batches.batches(dataset, seed=0, **sizes)(step) for dataset in (DATASET, bare)
        )
        jax.tree.map(np.testing.assert_array_equal, one, other)


def shapes_of_step(config):
    """The shapes that a train step returns, without compiling it."""
    dataset = DATASET
    batch = batches.batches(
        dataset,
        seed=0,
        num_matched=config.train.batch_matched,
        num_unmatched=config.train.batch_unmatched,
    )(0)
    model = icons.build_model(config, dataset)
    state = jax.eval_shape(lambda: train_state.init_state(config, icons, dataset, model))
    teacher = state.params if config.objective == "plan_matching" else None
    one = functools.partial(train_step, recipe=recipe(config, icons, model))
    return state, jax.eval_shape(one, state, batch, teacher)


@pytest.mark.parametrize("form", ["gentle_clip", "gentle_clip_official"])
@pytest.mark.parametrize(
    "off", [(), ("mmd",), ("sdd",), ("ssl",), ("clip",), ("mmd", "sdd", "ssl")]
)
def test_a_weight_of_zero_drops_its_metric(form, off):
    weights = {f"loss.{name}_weight": 0.0 for name in off}
    state, (after, metrics) = shapes_of_step(tiny_run.config(**weights, **{"objective": form}))
    assert after == state
    assert metrics.keys() == TERMS - {f"loss/{name}" for name in off} | OTHER_METRICS
    assert all(value.shape == () for value in metrics.values())


OF_OBJECTIVES = {
    "clip": {"clip"},
    "siglip": {"siglip"},
    "hard_pl": {"clip", "pseudo_labels"},
    "soft_pl": {"clip", "pseudo_labels"},
    "s_clip": {"clip", "pseudo_labels"},
    "plan_matching": {"clip", "plan"},
    "cauchy_schwarz": {"clip", "cauchy_schwarz"},
}


@pytest.mark.parametrize("objective", OF_OBJECTIVES)
def test_towers_train_with_any_objective(objective):
    """Nothing is passed over in silence: each has the terms of its method, and no other."""
    state, (after, metrics) = shapes_of_step(tiny_run.config(objective=objective))
    assert after == state
    terms = {f"loss/{name}" for name in OF_OBJECTIVES[objective]}
    assert metrics.keys() == terms | OTHER_METRICS


def test_every_objective_has_its_terms():
    assert OF_OBJECTIVES.keys() | {"gentle_clip", "gentle_clip_official"} == OBJECTIVES.keys()


def test_clip_alone_needs_no_unmatched_items():
    weights = {"loss.mmd_weight": 0.0, "loss.sdd_weight": 0.0, "loss.ssl_weight": 0.0}
    config = tiny_run.config(**weights, **{"train.batch_unmatched": 0})
    assert shapes_of_step(config)[1][1].keys() == {"loss/clip"} | OTHER_METRICS


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"objective": "other"}, "must be one of clip, siglip, .*, not other"),
        ({"data.matched_fraction": 0.0}, "no matched pairs but config.loss.clip_weight is 1"),
        ({"train.batch_matched": 0}, "no matched pairs but config.loss.clip_weight is 1"),
        ({"train.batch_unmatched": 0, "objective": "plan_matching"}, "needs unmatched items"),
        ({"objective": "s_clip", "data.matched_fraction": 0.0}, "s_clip needs matched pairs"),
        ({"loss.sdd_weight": float("nan")}, "config.loss.sdd_weight must be a number from 0"),
        ({"train.microbatches": 3}, "16 rows cannot be cut into config.train.microbatches=3"),
        ({"train.batch_matched": 48}, "48 .* only 40"),
        ({"train.batch_matched": 6}, "6 rows cannot be split over 4 devices"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(tmp_path, monkeypatch, overrides, message, run):
    monkeypatch.setattr(icons, "load_data", lambda config, workdir: DATASET)
    zeros = jax.tree.map(jnp.zeros_like, run[1])
    monkeypatch.setattr(train_state, "init_state", lambda *_: zeros)
    with pytest.raises(ValueError, match=message):
        loop.train(tiny_run.config(**overrides), tmp_path)


NO_DROPOUT = {"model.image.dropout": 0.0, "model.text.dropout": 0.0, "model.head_dropout": 0.0}


@pytest.fixture(scope="module")
def gradients_of():
    """Gradients of the whole objective without dropout, by microbatches and devices."""
    config = tiny_run.config(**NO_DROPOUT, **{"model.image.depth": 1})
    model = icons.build_model(config, DATASET)
    objective_of_config = recipe(config, icons, model).objective
    rng = np.random.default_rng(0)
    inputs = (
        rng.uniform(size=(32, 16, 16, 1)).astype(np.float32),
        rng.integers(1, DATASET.metadata.vocab_size, (32, 3)).astype(np.int32),
    )
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), *inputs)["params"])
    params = jax.tree.map(lambda s: rng.normal(0, 0.3, s.shape).astype(s.dtype), shapes)
    params["log_scale"] = np.float32(2.0)

    def embed(params, inputs, key):
        images, tokens = inputs
        return model.apply({"params": params}, images, tokens)[:2]

    def objective(params, x, y):
        temperature = model.apply({"params": params}, method=model.temperature)
        rows = Rows(x, y, 8, has_views=True)
        return icons.loss(rows, temperature, objective_of_config, config.loss, model)

    @functools.cache
    def gradients_of(microbatches, num_devices):
        devices = jax.make_mesh(
            (num_devices,),
            ("data",),
            axis_types=(jax.sharding.AxisType.Auto,),
            devices=jax.devices()[:num_devices],
        )
        jitted = jax.jit(
            lambda params, inputs: gradients(
                params, inputs, jax.random.key(0), embed, objective, microbatches
            )
        )
        return jitted(
            jax.device_put(params, mesh.replicated(devices)), mesh.shard_batch(inputs, devices)
        )

    return gradients_of


@pytest.mark.slow
@pytest.mark.parametrize(("microbatches", "num_devices"), [(4, 1), (8, 1), (4, 4), (1, 4)])
def test_microbatches_change_no_gradient(gradients_of, microbatches, num_devices):
    """Leaf by leaf, to 1e-5 of the largest entry; whatever a device holds of a microbatch."""
    (expected, terms), (grads, same_terms) = (
        gradients_of(1, 1),
        gradients_of(microbatches, num_devices),
    )
    chex.assert_trees_all_close(same_terms, terms, rtol=1e-5)
    scale = max(float(jnp.abs(g).max()) for g in jax.tree.leaves(expected))
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(expected), jax.tree.leaves(grads)):
        tolerance = 1e-5 * max(float(np.abs(a).max()), 1e-2 * scale)
        np.testing.assert_allclose(b, a, rtol=0, atol=tolerance, err_msg=str(path))


def test_each_device_has_its_share_of_each_microbatch():
    """A device that sees whole microbatches does the work of all."""
    devices = mesh.data_mesh()

    def embed(params, inputs, key):
        return tuple(jnp.tanh(rows @ params) for rows in inputs)

    def objective(params, x, y):
        return jnp.vdot(x @ y.T, y @ x.T), {}

    def of_rows(params, rows):
        inputs = rows, rows + 1
        return gradients(params, inputs, jax.random.key(0), embed, objective, 2)[0]

    weights = jax.device_put(jnp.ones((6, 3)), mesh.replicated(devices))
    rows = jax.device_put(jnp.ones((32, 6)), mesh.by_rows(devices))
    text = jax.jit(of_rows).lower(weights, rows).compile().as_text()
    assert "f32[4,6]" in text.replace("f32[4,1,6]", "f32[4,6]")
    assert "f32[16,6]" not in text


@pytest.fixture
def bad_objective(monkeypatch):
    """Arranges for a term that is not finite in some steps; its data and weights are sound."""
    monkeypatch.setattr(icons, "load_data", lambda config, workdir: DATASET)

    def arrange(*steps):
        real = loop.train_step

        def spoilt_step(state, batch, *more, **keywords):
            bad = jnp.isin(state.step, jnp.array(steps) - 1)
            spoilt = jax.tree.map(lambda p: jnp.where(bad, jnp.nan, p), state.params)
            new, metrics = real(state._replace(params=spoilt), batch, *more, **keywords)
            params = jax.tree.map(lambda a, b: jnp.where(bad, b, a), new.params, state.params)
            return new._replace(params=params), metrics

        monkeypatch.setattr(loop, "train_step", spoilt_step)

    return arrange


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_is_recorded(tmp_path, bad_objective, run):
    bad_objective(4)
    with pytest.raises(
        FloatingPointError, match=r"^loss/\w+ is nan at step 4: .* are kept"
    ) as error:
        loop.train(tiny_run.config(**{"train.log_every": 3}), tmp_path)
    path = tmp_path / "bad_step_4.json"
    assert f"{path} and its .npz file record the batch" in str(error.value)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert int(checkpoints.restore(run[1]).step) == 2
    assert [line["step"] for line in read_lines(tmp_path, "train")] == [2, 3]
    record = json.loads(path.read_text())
    rows = batching.rows_at(CONFIG, DATASET)(3)
    assert record["rows"] == {name: numbers.tolist() for name, numbers in rows.items()}
    assert record["matched_names"] == DATASET.matched.names[rows["matched"]].tolist()
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["matched/x"], DATASET.matched.x[rows["matched"]])
        np.testing.assert_array_equal(
            arrays["unmatched/y"], DATASET.unmatched_y[rows["unmatched_y"]]
        )
    assert record["metrics"].keys() == TERMS | OTHER_METRICS
    assert record["metrics"]["loss/clip"] == "nan"


@pytest.mark.slow
def test_skipped_steps_change_nothing_and_are_counted_when_a_run_goes_on(tmp_path, bad_objective):
    bad_objective(2, 5)
    with pytest.raises(FloatingPointError, match="at step 5"):
        loop.train(tiny_run.config(**{"train.max_skipped": 1}), tmp_path)
    state = loop.train(tiny_run.config(**{"train.max_skipped": 2}), tmp_path)
    assert int(state.step) == 6
    assert int(state.skipped) == 2
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    assert [line["step"] for line in read_lines(tmp_path, "skipped")] == [2, 5]


def test_a_second_training_changes_nothing_in_a_folder_that_is_in_use(tmp_path, monkeypatch):
    """Its config would be taken for that of the first, which has no checkpoint yet."""
    monkeypatch.setattr(icons, "load_data", lambda config, workdir: DATASET)
    with taken(tmp_path, CONFIG), pytest.raises(ValueError, match="is in use by"):
        loop.train(tiny_run.config(seed=1), tmp_path)
    assert read_config(tmp_path).seed == CONFIG.seed


def test_checkpoints_alone_keep_the_folder_for_their_config(run, tmp_path):
    """Without its log or its config, a run would go on from another config's checkpoint."""
    workdir = shutil.copytree(run[0], tmp_path / "run")
    for name in ("metrics.jsonl", "config.json"):
        (workdir / name).unlink()
        with pytest.raises(ValueError, match=r"config\.seed was 0, is 1"):
            loop.train(tiny_run.config(seed=1), workdir)


def test_one_run_at_a_time_in_a_folder(tmp_path):
    with locked(tmp_path / "lock"):
        message = rf"is in use by process {os.getpid()} on \S+: wait until"
        with pytest.raises(ValueError, match=message):
            loop.train(CONFIG, tmp_path)
    with locked(tmp_path / "lock"):
        pass


# Runs in processes of their own ----------------------------------------------------------------

LONG = {"train.steps": 12, "train.checkpoint_every": 3, "model.image.depth": 1}


def finish(workdir, num_devices):
    """Runs tiny_run.py to the end."""
    script = pathlib.Path(tiny_run.__file__)
    settings = [f"{key}={json.dumps(value)}" for key, value in LONG.items()]
    command = [sys.executable, script, workdir, str(num_devices), *settings]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stderr


@pytest.mark.slow
def test_eight_devices_train_as_one(tmp_path):
    """Up to the order of sums: losses to 1e-5 relative, parameters to 1e-5 absolute.

    But for the biases of attention's keys, which softmax cancels: their gradient is rounding alone,
    and Adam makes steps of the learning rate's size of it.
    """
    runs = {}
    for num_devices in (1, 8):
        workdir = tmp_path / str(num_devices)
        finish(workdir, num_devices)
        lines = read_lines(workdir, "train")
        losses = {name: [line[name] for line in lines] for name in TERMS | {"loss/total"}}
        with np.load(workdir / "params.npz") as params:
            kept = {name: params[name] for name in params if "['key']['bias']" not in name}
        runs[num_devices] = losses, kept
    (expected_losses, expected_params), (losses, params) = runs.values()
    chex.assert_trees_all_close(losses, expected_losses, rtol=1e-5)
    chex.assert_trees_all_close(params, expected_params, rtol=0, atol=1e-5)
