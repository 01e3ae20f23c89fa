"""An aligner without its package: the same rows from compiled programs and from matrices."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from gentle_clip_jax import Problem, align, load
from gentle_clip_jax.aligners.closed_form import gentle
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import SmoothedGallery
from gentle_clip_jax.commands import main
from gentle_clip_jax.exporting import export

RNG = np.random.default_rng(0)
BATCHES = (1, 7, 64)
CLOSE = {"rtol": 0, "atol": 1e-5}
COMMON = RNG.normal(size=(400, 4))
# Far from 0 and of several scales, one of them constant.
X = COMMON @ RNG.normal(size=(4, 9)) * 10.0 ** np.arange(-4, 5) + 1e3
Y = COMMON @ RNG.normal(size=(4, 7)) + 0.1 * RNG.normal(size=(400, 7))
X[:, 3] = 5.0
X, Y = X.astype(np.float32), Y.astype(np.float32)


@pytest.fixture(scope="module")
def aligners(tmp_path_factory):
    """Folders of saved aligners: linear, smoothed and joined."""
    folder = tmp_path_factory.mktemp("aligners")
    classes = X[:6], Y[:6]
    for method in ("cca", "gentle_transport", "named_transport", "relative"):
        pairs = 4 if method == "named_transport" else 40  # so few are joined with names alone
        problem = Problem(X[:pairs], Y[:pairs], X[40:], Y[40:])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gentle, "FEW_DIMENSIONS", 0)  # so that it is smoothed
            fitted = align(problem, method=method, seed=1, classes=classes)
        if method == "gentle_transport":
            inner = fitted.maps.maps if isinstance(fitted.maps, SmoothedGallery) else fitted.maps
            maps = SmoothedGallery(inner, fitted.embed_x(X), fitted.embed_y(Y))
            fitted = dataclasses.replace(fitted, maps=maps)
            fitted = fitted.with_metadata({"smoothed_galleries": {"x": True, "y": True}})
        fitted.save(folder / method)
    return folder


def expected(folder):
    """Rows [n, k] by name, of the aligner itself."""
    aligner = load(folder)
    of_x, of_y = np.asarray(aligner.embed_x(X[:64])), np.asarray(aligner.embed_y(Y[:64]))
    rows = {"embed_x": of_x, "embed_y": of_y}
    smoothed = aligner.smoothed_galleries
    if smoothed.x:
        rows["smooth_gallery_x"] = aligner.smooth_gallery_x(of_x)
    if smoothed.y:
        rows["smooth_gallery_y"] = aligner.smooth_gallery_y(of_y)
    return {name: np.asarray(values) for name, values in rows.items()}


def run(script, folder):
    """Runs Python in a new process, which must not load this package; what it prints, as JSON."""
    script += "\nimport sys; assert not [m for m in sys.modules if m.startswith('gentle_clip')]\n"
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=folder
    )
    assert process.returncode == 0, process.stderr


STABLEHLO = """
import numpy as np
from jax import export
given, found = dict(np.load("given.npz")), {}
for name in given:
    with open(f"{name}.stablehlo", "rb") as file:
        call = export.deserialize(bytearray(file.read())).call
    for n in (1, 7, 64):
        found[f"{name}.{n}"] = np.asarray(call(given[name][:n]))
np.savez("found.npz", **found)
"""


def given(rows):
    inputs = {"embed_x": X[:64], "embed_y": Y[:64]}
    return {name: inputs.get(name, rows[name.replace("smooth_gallery", "embed")]) for name in rows}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cca", "gentle_transport", "relative"])
def test_programs_run_without_the_package(method, aligners, tmp_path):
    files = export(aligners / method, tmp_path / "out", format="stablehlo")
    rows = expected(aligners / method)
    names = {f"{name}.stablehlo" for name in rows} | {"README.md", "export.json"}
    assert {path.name for path in files} == names == {p.name for p in (tmp_path / "out").iterdir()}
    np.savez(tmp_path / "out" / "given.npz", **given(rows))
    run(STABLEHLO, tmp_path / "out")
    with np.load(tmp_path / "out" / "found.npz") as found:
        for name, values in rows.items():
            for n in BATCHES:
                np.testing.assert_allclose(found[f"{name}.{n}"], values[:n], **CLOSE)


MATRICES = """
import numpy as np
from apply import embed, load, smooth_gallery
given, aligner, found = dict(np.load("given.npz")), load("aligner.npz"), {}
for name, rows in given.items():
    kind, side = name.rsplit("_", 1)
    for n in (1, 7, 64):
        apply = embed if kind == "embed" else smooth_gallery
        found[f"{name}.{n}"] = apply(aligner, side, rows[:n])
np.savez("found.npz", **found)
import sys; assert "jax" not in sys.modules
"""


@pytest.mark.parametrize("method", ["cca", "gentle_transport", "named_transport"])
def test_matrices_need_numpy_alone(method, aligners, tmp_path):
    export(aligners / method, tmp_path / "out", format="numpy")
    rows = expected(aligners / method)
    np.savez(tmp_path / "out" / "given.npz", **given(rows))
    run(MATRICES, tmp_path / "out")
    with np.load(tmp_path / "out" / "aligner.npz") as arrays:
        assert ("x_joined_map" in arrays) == (method == "named_transport")
    with np.load(tmp_path / "out" / "found.npz") as found:
        for name, values in rows.items():
            for n in BATCHES:
                np.testing.assert_allclose(found[f"{name}.{n}"], values[:n], **CLOSE)


def test_what_is_no_matrices_is_said(aligners, tmp_path, capsys):
    command = ["export", f"--aligner={aligners / 'relative'}", f"--out={tmp_path / 'out'}"]
    assert main.main([*command, "--format=numpy"]) == 2
    said = capsys.readouterr().err
    assert "relative cannot be written as matrices: use --format=stablehlo" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_command_names_what_it_wrote(aligners, tmp_path, capsys):
    command = ["export", f"--aligner={aligners / 'cca'}", "--format=numpy"]
    assert main.main([*command, f"--out={tmp_path / 'a'}"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    for name in ("aligner.npz", "apply.py", "README.md", "export.json"):
        assert str(tmp_path / "a" / name) in last
    assert main.main([*command, f"--out={tmp_path / 'b'}", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["format"] == "numpy"
    assert len(said["outputs"]) == 4
    assert main.main([*command, f"--out={tmp_path / 'a'}", "--quiet"]) == 0  # again, over its own
    assert capsys.readouterr().out == ""
    record = json.loads((tmp_path / "a" / "export.json").read_text())
    assert (record["format"], record["written_as"]) == (1, "numpy")
    assert record["metadata"]["method"] == "cca"
    assert "ids" not in json.dumps(record)


def test_nothing_else_is_overwritten(aligners, tmp_path, capsys):
    (tmp_path / "mine.txt").touch()
    assert main.main(["export", f"--aligner={aligners / 'cca'}", f"--out={tmp_path}"]) == 2
    assert "holds something else: use another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ValueError, match="holds no aligner"):
        export(tmp_path, tmp_path / "out", format="numpy")
    with pytest.raises(ValueError, match="--format=onnx must be one of stablehlo, numpy"):
        export(aligners / "cca", tmp_path / "out", format="onnx")
