"""What compare and diagnose call the two modalities."""

import json

import pytest

from gentle_clip_jax.commands import main


@pytest.fixture
def shown(monkeypatch):
    """Gathers what would be shown instead of measuring anything."""
    shown = []
    monkeypatch.setattr("gentle_clip_jax.comparing.compare", lambda *_, **__: None)
    monkeypatch.setattr("gentle_clip_jax.diagnosing.diagnose", lambda *_, **__: {"seed": 0})
    monkeypatch.setattr(
        "gentle_clip_jax.report.show_comparison", lambda folder, names: shown.append(names)
    )
    monkeypatch.setattr(
        "gentle_clip_jax.report.show_diagnosis",
        lambda found, *_: shown.append(json.loads(json.dumps(found))["modalities"]),
    )
    return shown


@pytest.mark.parametrize("command", [["compare", "--workdir=out"], ["diagnose"]])
@pytest.mark.parametrize(
    ("args", "names"),
    [
        (["--x=features/pictures", "--y=features/v1.2"], ("pictures", "v1.2")),
        (["--x=cells.npy", "--y=b/words.parquet"], ("cells", "words")),
        (["--x=.", "--y=words.npy"], ("here", "words")),
        (["--x=a/features.npz", "--y=b/features.npz"], ("x", "y")),
        (["--x=a/f.npz", "--y=b/f.npz", "--x-name=cell", "--y-name=word"], ("cell", "word")),
        (["--x=cells.npy", "--y=words.npy", "--y-name=[term]"], ("cells", "[term]")),
        ([f"--x={'a' * 61}.npy", "--y=words.npy"], ("x", "y")),
    ],
)
def test_they_are_called_as_asked_or_as_their_files(
    command, args, names, shown, tmp_path, monkeypatch
):
    (tmp_path / "here" / "features" / "v1.2").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert main.main([*command, *args]) == 0
    assert [tuple(one) for one in shown] == [names]


def test_equal_names_are_refused(shown, capsys):
    args = ["--x=cells.npy", "--y=words.npy", "--x-name=words"]
    assert main.main(["diagnose", *args]) == 2
    assert "Both modalities are called words" in capsys.readouterr().err
    assert not shown
