import errno
import json
import os
import struct
import subprocess
import sys

import jax.numpy as jnp
import pytest

from gentle_clip_jax.runs.log import NonFiniteStep, RunLog
from gentle_clip_jax.runs.read import lines_of, read_line
from gentle_clip_jax.storage.records import read_record, write_record
from gentle_clip_jax.storage.writing import write_json

FIGURES = {"mean_recall": 0.5, "zero_shot_accuracy": 0.25}


def open_log(workdir, first_step=0, max_skipped=0):
    return RunLog(workdir, 3, 10, max_skipped, first_step=first_step)


def read_lines(workdir):
    *lines, last = lines_of(workdir / "metrics.jsonl")
    assert last == b""
    return [read_line(line) for line in lines]


def write_steps(workdir, *steps, **metrics):
    with open_log(workdir, steps[0] - 1) as log:
        for step in steps:
            log.add(step, {"loss/total": jnp.float32(step), **metrics})
            log.write_train(examples_per_step=4)


def test_lines_are_means_since_the_last(tmp_path):
    with open_log(tmp_path) as log:
        for step in (1, 2, 3):
            log.add(step, {"loss/clip": jnp.float32(step)})
        log.write_train(examples_per_step=4)
        log.write_validation(3, FIGURES, "mean_recall")
    train, validation = read_lines(tmp_path)
    assert train.pop("examples_per_second") > 0
    assert train == {"step": 3, "kind": "train", "loss/clip": 2.0}
    assert validation == {"step": 3, "kind": "validation", **FIGURES}


def test_data_that_changed_are_told_when_a_run_goes_on(tmp_path, notices):
    data = {"matched": "8 items, ab", "unmatched_x": "9 items, cd"}
    other = data | {"matched": "9 items, ef"}
    for first_step, now, told in (
        (0, data, False),
        (2, data, False),
        (3, other, True),
        (4, other, False),
    ):
        with RunLog(tmp_path, 3, 10, 0, first_step=first_step, metadata={"data": now}):
            said = " ".join(notices().split())
        assert (
            "have changed since the run began (matched): to train only on the new data, give"
            in said
        ) is told


def test_tensorboard_shows_the_same_figures(tmp_path):
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    write_steps(tmp_path, 1, 2)
    (path,) = (tmp_path / "tensorboard").iterdir()
    content, found = path.read_bytes(), {}
    while content:  # records: length, its checksum, an event, its checksum
        (length,) = struct.unpack("<Q", content[:8])
        event = event_pb2.Event.FromString(content[12 : 12 + length])
        content = content[12 + length + 4 :]
        found |= {(event.step, one.tag): one.simple_value for one in event.summary.value}
    assert found[1, "train/loss/total"] == 1
    assert found[2, "train/loss/total"] == 2


def test_tensorboard_loads_neither_torch_nor_clients_of_stores():
    pytest.importorskip("tensorboardX.proto.event_pb2")
    script = "import sys, gentle_clip_jax.runs.tensorboard\n"
    script += "assert not {'torch', 'boto3', 'google.cloud.storage'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_metrics_that_cannot_be_written_are_told_in_a_sentence(tmp_path, monkeypatch):
    def full(self, event):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = pytest.importorskip("tensorboardX.event_file_writer").EventsWriter
    with open_log(tmp_path) as log:
        monkeypatch.setattr(writer, "write_event", full)
        log.add(1, {"loss/total": jnp.float32(1)})
        with pytest.raises(OSError, match=r"cannot be written to .* \(No space left on device\)"):
            log.write_train(examples_per_step=4)


def test_a_bad_term_is_named_with_its_step(tmp_path):
    """Alphabetically other metrics come first, and the total is bad whenever a term is."""
    bad = {"loss/total": float("nan"), "alignment/mmd": float("nan"), "loss/sdd": float("inf")}
    with open_log(tmp_path) as log:
        log.add(1, {"loss/sdd": jnp.float32(1.0)})
        log.add(2, {name: jnp.float32(value) for name, value in bad.items()})
        with pytest.raises(NonFiniteStep, match=r"^loss/sdd is inf at step 2$"):
            log.write_train(examples_per_step=4)
    assert read_lines(tmp_path) == []


def test_bad_steps_are_left_out_up_to_a_limit(tmp_path, notices):
    nan = {"loss/total": float("nan"), "loss/sdd": float("nan")}
    with open_log(tmp_path, max_skipped=2) as log:
        for step in range(1, 5):
            log.add(step, nan if step in (2, 4) else dict.fromkeys(nan, jnp.float32(step)))
        log.write_train(examples_per_step=4)
        log.add(5, nan)
        with pytest.raises(NonFiniteStep) as error:
            log.write_train(examples_per_step=4)
    assert error.value.step == 5
    *skipped, train = read_lines(tmp_path)
    assert [(line["step"], line["kind"], line["term"]) for line in skipped] == [
        (2, "skipped", "loss/sdd"),
        (4, "skipped", "loss/sdd"),
    ]
    assert train["loss/sdd"] == 2.0
    said = " ".join(notices().split())
    assert "step 4: loss/sdd is nan; skipped, 2 of at most 2" in said


@pytest.mark.parametrize("name", ["grad_norm", "loss/total"])
def test_what_is_bad_alone_is_named(tmp_path, name):
    with open_log(tmp_path) as log:
        log.add(4, {"loss/clip": jnp.float32(1.0), name: jnp.float32("nan")})
        with pytest.raises(FloatingPointError, match=rf"^{name} is nan at step 4$"):
            log.write_train(examples_per_step=4)


def test_a_killed_run_leaves_each_step_once(tmp_path):
    write_steps(tmp_path, 1, 2, 3)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "ki')
    write_steps(tmp_path, 3, 4)
    assert [line["step"] for line in read_lines(tmp_path)] == [1, 2, 3, 4]


def said_by(notices):
    return "".join(notices().split())


def test_damaged_lines_are_named_and_kept_in_another_file(tmp_path, notices):
    write_steps(tmp_path, 1, 2, 3)
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    flipped = lines[1].replace(b"2.0", b"3.0")
    bad = [b"[]", b'{"st\x0c\xff', flipped, b"[" * 100_000]
    path.write_bytes(b"\n".join([lines[0], *bad, *lines[1:]]) + b"\n")
    notices()
    write_steps(tmp_path, 4)
    assert [line["loss/total"] for line in read_lines(tmp_path)] == [1, 2, 3, 4]
    said = said_by(notices)
    assert "metrics.jsonl:damagedlinesaremovedtometrics.jsonl.unsound:" in said
    assert ":line2,3,4,5." in said
    assert (tmp_path / "metrics.jsonl.unsound").read_bytes() == b"\n".join(bad) + b"\n"
    write_steps(tmp_path, 5)
    assert "leftout" not in said_by(notices)


def test_of_many_damaged_lines_a_few_are_named(tmp_path, notices):
    (tmp_path / "metrics.jsonl").write_text("[]\n" * 7)
    with open_log(tmp_path):
        pass
    assert "line1,2,3,4,5and2more." in said_by(notices)


@pytest.mark.parametrize("change", [lambda text: "", lambda text: text[: len(text) // 2]])
def test_a_log_that_was_cut_is_named(tmp_path, notices, change):
    write_steps(tmp_path, 1, 2, 3, 4)
    path = tmp_path / "metrics.jsonl"
    path.write_text(change(path.read_text()))
    last = [0, *(line["step"] for line in map(read_line, lines_of(path)) if line)][-1]
    notices()
    write_steps(tmp_path, 5)
    assert f"metrics.jsonlhasnolinebetweenstep{last}andstep4:" in said_by(notices)
    assert [line["step"] for line in read_lines(tmp_path)] == [*range(1, last + 1), 5]


@pytest.mark.parametrize(
    "content", ["[]", "3", '{"seconds": "long"}', '{"versions": []}', "{", "", '{"check": "0"}']
)
def test_a_damaged_run_json_is_named_and_put_aside(tmp_path, content, notices):
    (tmp_path / "run.json").write_text(content)
    with open_log(tmp_path):
        pass
    assert "run.jsonisdamaged:renamedtorun.json.unsoundandwrittenagain." in said_by(notices)
    assert (tmp_path / "run.json.unsound").read_text() == content
    assert read_record(tmp_path / "run.json")["seed"] == 3


def test_paths_are_no_markup(tmp_path, notices):
    (tmp_path / "[bold]a[").mkdir()
    with open_log(tmp_path / "[bold]a[", 10):
        pass
    assert "[bold]a[:all10stepsaredone." in "".join(notices().split())


def test_run_info_outlives_a_restart(tmp_path):
    write_steps(tmp_path, 1)
    first = read_record(tmp_path / "run.json")
    assert first["seed"] == 3
    assert first["num_devices"] == 4
    assert {"jax", "flax", "optax"} <= first["versions"].keys()
    write_record(tmp_path / "run.json", first | {"seconds": 100.0})
    write_steps(tmp_path, 2)
    second = read_record(tmp_path / "run.json")
    assert second["started"] == first["started"]
    assert second["seconds"] >= 100.0


@pytest.mark.parametrize(
    ("first_step", "message"), [(10, "all 10 steps are done"), (4, "going on from step 4 of 10")]
)
def test_it_says_where_a_run_goes_on(tmp_path, notices, first_step, message):
    with open_log(tmp_path, first_step):
        pass
    assert message in " ".join(notices().split())


def test_json_is_never_half_written(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"new": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
