"""Aligners in folders: the same in a new process, and what is damaged or foreign is named."""

import dataclasses
import json
import pathlib
import subprocess
import sys
from typing import NamedTuple

import jax
import numpy as np
import pytest

from gentle_clip_jax.aligners import METHODS, Problem, align, aligner, choose, load, saved
from gentle_clip_jax.aligners.closed_form import gentle

X, Y = (np.float32(np.random.default_rng(seed).normal(size=(9, d))) for seed, d in ((1, 7), (2, 5)))


def problem(n=16, unmatched=30):
    rng = np.random.default_rng(0)
    latent, to_x, to_y = (rng.normal(size=s) for s in ((n + 2 * unmatched, 4), (4, 7), (4, 5)))
    x = 3 + latent @ to_x
    y = (latent @ to_y)[:, None] + 0.1 * rng.normal(size=(len(x), 2, 5))
    classes = rng.normal(size=(6, 7)), rng.normal(size=(6, 5))
    sets = x[:n], y[:n], x[n : n + unmatched], y[n + unmatched :]
    return Problem(*(np.float32(z) for z in sets), classes=classes)


# Those of one space are in test_joint.py.
CLOSED = [name for name, method in METHODS.items() if not method.shared]
_READ = """
import sys, numpy as np
from gentle_clip_jax.aligners.loading import load, read
for read_by in (read, load):
    for folder in sys.argv[1:]:
        aligner, rows = read_by(folder), np.load(folder + "/rows.npz")
        x, y = aligner.embed_x(rows["x"]), aligner.embed_y(rows["y"])
        assert all(isinstance(array, np.ndarray) == (read_by is read) for array in (x, y))
        error = np.abs(np.asarray(x) @ np.asarray(y).T - rows["cosines"]).max()
        assert error < 1e-6, (folder, aligner.metadata["method"], error)
assert "flax" not in sys.modules
"""


@pytest.mark.slow
def test_aligners_are_the_same_in_a_new_process_that_loads_no_flax(tmp_path):
    folders = []
    for name in (*CLOSED, "auto"):
        fitted, folder = align(problem(), name), tmp_path / name
        fitted.save(folder)
        cosines = fitted.embed_x(X) @ fitted.embed_y(Y).T
        assert load(folder).metadata == fitted.metadata
        np.savez(folder / "rows.npz", x=X, y=Y, cosines=cosines)
        folders.append(str(folder))
    run = [sys.executable, "-c", _READ, *folders]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)
    assert not done.returncode, done.stderr


def test_an_aligner_without_pairs_is_saved_too(tmp_path):
    known = problem()
    none = Problem(
        known.x[:0], known.y[:0], known.unmatched_x, known.unmatched_y, classes=known.classes
    )
    fitted = align(none)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path).embed_x(X), fitted.embed_x(X))


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    align(problem(), "cca").save(tmp_path / "saved")
    return tmp_path / "saved"


def test_it_tells_what_it_was_fitted_by_and_on(tmp_path):
    fitted = align(problem()).with_metadata({"encoders": {"x": "efficientnet_lite0"}})
    fitted.save(tmp_path)
    metadata = load(tmp_path).metadata
    assert metadata["encoders"] == {"x": "efficientnet_lite0"}
    assert metadata["fitted_on"] == problem().metadata
    assert metadata["method"] in METHODS
    assert "mean_log_rank" in metadata["held_out"]
    assert {"jax", "numpy", "gentle-clip-jax"} <= metadata["versions"].keys()


def test_saving_anew_replaces_the_old(folder):
    other = align(problem(12), "ridge")
    other.save(folder)
    np.testing.assert_array_equal(load(folder).embed_x(X), other.embed_x(X))
    assert len(list(folder.iterdir())) == 2


def test_maps_that_are_not_finite_or_of_another_shape_are_refused(tmp_path):
    fitted = align(problem(), "ridge")
    for change, said in (
        (lambda leaf: leaf * np.nan, "are not finite"),
        (lambda _: X, "do not fit"),
    ):
        maps = jax.tree.map(change, fitted.maps)
        dataclasses.replace(fitted, maps=maps).save(tmp_path / "out")
        with pytest.raises(ValueError, match=f"out {said}.*: align again"):
            load(tmp_path / "out")


class Trained(NamedTuple):
    """Heads, as an earlier version saved them."""

    x: np.ndarray


def test_maps_of_a_kind_that_is_not_known_are_refused_with_their_name(tmp_path):
    saved.write(tmp_path / "heads", {"maps": Trained(X)}, {}, {"Trained": Trained}.get)
    with pytest.raises(
        ValueError, match=r"heads holds a Trained, which this version .* align again"
    ):
        load(tmp_path / "heads")


def arrays(folder):
    (path,) = folder.glob("*.safetensors")
    return path


def flip(folder):
    content = bytearray(arrays(folder).read_bytes())
    content[-5] ^= 1
    arrays(folder).write_bytes(content)


def edit(folder):
    path = folder / "aligner.json"
    record = json.loads(path.read_text())
    record["metadata"]["method"] = "ridge"
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "aligner.json").unlink(), "holds no aligner, as aligner.json is not there"),
        (lambda f: (f / "aligner.json").write_text('{"a'), "aligner.json is damaged: copy"),
        (lambda f: (f / "aligner.json").write_bytes(b"\xff"), "aligner.json is damaged: copy"),
        (lambda f: (f / "aligner.json").write_text("[" * 10**5), "aligner.json is damaged"),
        (lambda f: (f / "aligner.json").write_text("[1]"), "is no aligner's"),
        (lambda f: (f / "aligner.json").write_text('{"format": 9, "parts": {}}'), "format 9"),
        (edit, "aligner.json is damaged"),
        (flip, "safetensors is damaged: copy the folder anew"),
        (lambda f: arrays(f).write_bytes(b""), "safetensors is damaged"),
        (lambda f: arrays(f).unlink(), "safetensors is missing: copy"),
    ],
)
def test_what_is_damaged_or_foreign_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_saving_again_mends_damaged_arrays(folder):
    aligner = load(folder)
    flip(folder)
    aligner.save(folder)
    np.testing.assert_array_equal(load(folder).embed_x(X), aligner.embed_x(X))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"There is no folder .*nowhere\."):
        load(tmp_path / "nowhere")


def test_a_bank_of_neighbours_has_a_largest_size(tmp_path, monkeypatch):
    monkeypatch.setattr(gentle, "BANK_BYTES", 20 * 7 * 4)
    monkeypatch.setattr(gentle, "FEW_DIMENSIONS", 0)
    monkeypatch.setattr(choose, "choose", lambda *_, **__: choose.Choice("gentle_transport", {}))
    fitted = align(problem(), "gentle_transport")
    assert fitted.maps.bank.shape == (20, 7)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path).embed_x(X), fitted.embed_x(X))


def test_what_no_method_returns_cannot_be_saved(tmp_path):
    fitted = align(problem(), "cca")
    strange = aligner.Aligner(fitted.x, fitted.y, object())
    with pytest.raises(ValueError, match="A object cannot be saved"):
        strange.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_an_aligner_is_a_pytree():
    fitted = align(problem(), "gentle_transport")
    again = jax.tree.map(lambda leaf: leaf, fitted)
    np.testing.assert_array_equal(again.embed_x(X), fitted.embed_x(X))
    assert again.metadata == fitted.metadata
