"""The kept runs of a comparison: damaged, foreign and stale ones are named and done again."""

import json
import shutil

import numpy as np
import pytest
from damages import DAMAGES

from gentle_clip_jax import comparing
from gentle_clip_jax.comparing import Plan, runs
from gentle_clip_jax.comparing.pool import Pool, Retrieval
from gentle_clip_jax.storage.records import read_record

PLAN = Plan(("cca", "ridge"), (8,), (0, 1))
NAMES = [f"{method}-8-{seed}" for seed in (0, 1) for method in ("cca", "ridge")]


def points(seed=0):
    """Two noisy linear views of the same points."""
    rng = np.random.default_rng(seed)
    to_x, to_y = rng.normal(size=(4, 6)), rng.normal(size=(4, 5))
    latent = rng.normal(size=(40, 4))
    x, y = np.float32(latent @ to_x), np.float32(latent @ to_y)
    ids = np.arange(10).astype(str)
    pool, test = slice(30), slice(30, 40)
    retrieval = {"points": Retrieval(x[test], ids, y[test], ids)}
    sets = x[pool, None], y[pool, None], np.repeat("all", 30), x[:0, None], y[:0, None]
    return Pool(*sets, retrieval, {})


def results_of(folder, items=None):
    found = comparing.compare_pool(items or points(), PLAN, folder, title="points")
    timeless = [{k: v for k, v in run.items() if k != "seconds"} for run in found["runs"]]
    return {"runs": timeless, "differences": found["differences"]}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound") / "comparison"
    return folder, results_of(folder)


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound[0], tmp_path / "comparison")


def assert_done_again(folder, path, sound, capsys, monkeypatch, number=1):
    damaged, again = path.read_bytes(), []
    real = runs._run
    monkeypatch.setattr(runs, "_run", lambda *a: again.append(a) or real(*a))
    assert results_of(folder) == sound[1]
    assert len(again) == number
    said = capsys.readouterr().out
    assert f"{path} cannot be used (" in said or f"{path} is damaged (" in said
    assert path.with_name(path.name + ".unsound").read_bytes() == damaged
    again.clear()
    assert results_of(folder) == sound[1]
    assert not again
    assert capsys.readouterr().out.count("unsound") == 0


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_run_is_named_put_aside_and_done_again(folder, sound, kind, capsys, monkeypatch):
    path = folder / "runs" / "ridge-8-1.npz"
    path.write_bytes(DAMAGES[kind](path.read_bytes()))
    assert_done_again(folder, path, sound, capsys, monkeypatch)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_comparison_json_costs_no_run(folder, sound, kind, capsys, monkeypatch):
    path = folder / "comparison.json"
    path.write_bytes(DAMAGES[kind](path.read_bytes()))
    assert_done_again(folder, path, sound, capsys, monkeypatch, number=0)


def test_a_run_under_the_name_of_another_is_done_again(folder, sound, capsys, monkeypatch):
    path = folder / "runs" / "ridge-8-1.npz"
    shutil.copyfile(path.with_name("ridge-8-0.npz"), path)
    assert_done_again(folder, path, sound, capsys, monkeypatch)


def test_a_foreign_file_among_the_runs_is_left_alone(folder, sound):
    note = folder / "runs" / "note.npz"
    np.savez(note, note=np.array([{"a": 1}], object))
    before = note.read_bytes()
    assert results_of(folder) == sound[1]
    assert note.read_bytes() == before


def test_runs_of_other_data_are_done_again_where_comparison_json_is_lost(folder, capsys):
    """They would be taken for runs of the new data."""
    (folder / "comparison.json").unlink()
    fresh = results_of(folder.with_name("fresh"), points(seed=1))
    capsys.readouterr()
    assert results_of(folder, points(seed=1)) == fresh
    said = capsys.readouterr().out
    assert said.count("npz cannot be used (it is of another comparison): kept as") == len(NAMES)
    assert all((folder / "runs" / f"{name}.npz.unsound").exists() for name in NAMES)


def test_what_results_json_holds_can_be_checked(folder):
    path = folder / "results.json"
    assert "check" not in read_record(path)
    path.write_text(path.read_text().replace('"num_items": 30', '"num_items": 31'))
    assert json.loads(path.read_text())["num_items"] == 31
    with pytest.raises(ValueError, match="checksum mismatch"):
        read_record(path)
