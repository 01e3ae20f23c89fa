"""The towers of a run without this package: the same rows from compiled programs."""

import json
import types

import jax
import numpy as np
import pytest
import tiny_run
from test_export import BATCHES, CLOSE, STABLEHLO, run

from gentle_clip_jax import restore
from gentle_clip_jax.commands import main
from gentle_clip_jax.exporting.functions import of_run
from gentle_clip_jax.exporting.programs import stablehlo
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import loop

X = np.random.default_rng(0).integers(256, size=(64, 16, 16)).astype(np.uint8)
Y = tiny_run.encode(np.random.default_rng(1).choice(tiny_run.WORDS, 64))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run of a few steps."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(icons, "load_data", lambda config, workdir: tiny_run.dataset())
        with jax.numpy_dtype_promotion("standard"):  # Orbax and optax mix types
            loop.train(tiny_run.config(), folder)
        yield folder


@pytest.mark.slow
def test_towers_run_without_the_package(workdir, tmp_path, capsys):
    out = tmp_path / "out"
    capsys.readouterr()
    assert main.main(["export", f"--workdir={workdir}", f"--out={out}", "--json"]) == 0
    names = {"embed_x.stablehlo", "embed_y.stablehlo", "README.md", "export.json"}
    assert {*json.loads(capsys.readouterr().out)["outputs"]} == {str(out / n) for n in names}
    np.savez(out / "given.npz", embed_x=X, embed_y=Y)
    run(STABLEHLO, out)
    restored = restore(workdir)
    rows = {"embed_x": restored.embed_x(X), "embed_y": restored.embed_y(Y)}
    with np.load(out / "found.npz") as found:
        for name, values in rows.items():
            for n in BATCHES:
                np.testing.assert_allclose(found[f"{name}.{n}"], values[:n], **CLOSE)
    readme = (out / "README.md").read_text()
    assert "`embed_x`: items uint8 [batch, 16, 16]: images, in the form of the data set" in readme
    assert "`embed_y`: items int32 [batch, 3]: texts, in the form of the data set" in readme
    metadata = json.loads((out / "export.json").read_text())["metadata"]
    assert metadata == {"task": "icons", "modalities": ["image", "text"], "step": restored.step}


def test_items_of_several_arrays_have_their_names():
    """As backbones of proteins have."""
    items = {"place": np.zeros((3, 4, 2), np.float32), "kind": np.zeros((3, 4), np.int32)}

    class Model:
        def apply(self, variables, items, method):
            rows = items["place"][..., 0] * items["kind"].astype(np.float32) + variables["params"]
            return rows / jax.numpy.linalg.norm(rows, axis=1, keepdims=True)

    task = types.SimpleNamespace(MODALITIES=("domain", "fold"), test_items=lambda _: (items, items))
    made = types.SimpleNamespace(task=task, model=Model(), params=np.float32(1), dataset=None)
    contents = stablehlo(of_run(made))
    readme = contents["README.md"]
    assert "place float32 [batch, 4, 2]" in readme
    assert "kind int32 [batch, 4]" in readme
    call = jax.export.deserialize(bytearray(contents["embed_y.stablehlo"])).call
    assert call({name: array[:2] for name, array in items.items()}).shape == (2, 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "numpy"}, "are more than matrices: use --format=stablehlo"),
        ({"workdir": "none"}, "holds no run"),
    ],
)
def test_what_cannot_be_exported(change, words, workdir, tmp_path, capsys):
    given = {"workdir": workdir, "out": tmp_path / "out", "format": "stablehlo"} | change
    assert main.main(["export", *(f"--{name}={value}" for name, value in given.items())]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
