"""Names of the two modalities in compare and diagnose."""

import pathlib

import numpy as np
import pytest

from gentle_clip_jax.commands import main
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import modalities_of


def collection(path):
    return Collection(np.eye(3), np.array([*"abc"]), path=pathlib.Path(path))


@pytest.mark.parametrize(
    ("paths", "given", "names"),
    [
        (("features/pictures", "features/v1.2"), (None, None), ("pictures", "v1.2")),
        (("cells.npy", "b/words.parquet"), (None, None), ("cells", "words")),
        ((".", "words.npy"), (None, None), ("here", "words")),
        (("a/features.npz", "b/features.npz"), (None, None), ("x", "y")),
        (("a/f.npz", "b/f.npz"), ("cell", "word"), ("cell", "word")),
        (("cells.npy", "words.npy"), (None, "[term]"), ("cells", "[term]")),
        ((f"{'a' * 61}.npy", "words.npy"), (None, None), ("x", "y")),
    ],
)
def test_they_are_called_as_asked_or_as_their_files(paths, given, names, tmp_path, monkeypatch):
    (tmp_path / "here" / "features" / "v1.2").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert modalities_of(*map(collection, paths), given) == names


@pytest.mark.parametrize("command", ["compare", "diagnose"])
def test_equal_names_are_refused(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("cells", "words"):
        np.savez(f"{name}.npz", features=np.eye(3), ids=[*"abc"])
    out = ["--workdir=out"] if command == "compare" else []
    line = [command, "--x=cells.npz", "--y=words.npz", "--x-name=words", *out]
    assert main.main(line) == 2
    assert "Both modalities are called words" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
