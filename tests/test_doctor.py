"""What is installed is found and what is missing is named with its remedy."""

import importlib.metadata
import json

import jax
import pytest

from gentle_clip_jax import doctor
from gentle_clip_jax.commands import main


@pytest.fixture
def without(monkeypatch):
    """Makes packages look as if they had other versions, or None."""
    real = importlib.metadata.version
    others: dict[str, str | None] = {}

    def version(name):
        if name in others:
            if others[name] is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return others[name]
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    return others


def test_a_sound_installation(capsys):
    assert main.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["broken"] == []
    assert found["packages"]["jax"] == jax.__version__
    assert len(found["devices"]) == jax.local_device_count()
    assert found["cores"] >= 1
    assert found["memory"] > 2**20
    assert found["outputs"] == []
    assert main.main(["doctor"]) == 0
    said = capsys.readouterr()
    assert said.out.endswith("All that is required works.\n")
    assert not said.err
    assert main.main(["doctor", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("version", "words"), [(None, "and not installed"), ("0.0.1", "and 0.0.1 is installed")]
)
def test_what_is_required_and_wrong_is_named(version, words, without, capsys):
    without["optax"] = version
    assert main.main(["doctor"]) == 2
    said = capsys.readouterr().out
    assert "optax" in said
    assert words in said
    assert "run pip install gentle-clip-jax" in said.splitlines()[-1]


def test_an_extra_is_complete_or_names_what_it_lacks(without):
    without["starlette"] = None
    found = doctor.examine()
    assert found["broken"] == []
    assert found["extras"]["review"] == {
        "missing": ["starlette"],
        "install": 'pip install "gentle-clip-jax[review]"',
    }
    # What an extra takes from another is its own.
    assert "starlette" in found["extras"]["dev"]["missing"]
    assert "starlette" not in found["extras"]["weights"]["missing"]
    (line,) = (line for line in doctor.lines(found) if line.startswith("extra review"))
    assert line == 'extra review lacks starlette: run pip install "gentle-clip-jax[review]"'


def test_a_package_that_is_not_installed_at_all(without, capsys):
    without["gentle-clip-jax"] = None
    assert main.main(["doctor"]) == 2
    assert "gentle-clip-jax itself is not installed" in capsys.readouterr().out


def test_devices_that_do_not_answer_are_said_to_be_broken(monkeypatch):
    def refuse():
        raise RuntimeError("no backend\nin reach")

    monkeypatch.setattr(jax, "local_devices", refuse)
    found = doctor.examine()
    assert found["broken"] == ["jax does not work: no backend in reach"]
    assert "jax" in " ".join(doctor.lines(found))


def test_weights_that_are_missing_come_with_their_command(monkeypatch):
    from gentle_clip_jax.encoders.published import packaged

    def missing():
        raise ValueError("It is not installed: run pip install this.")

    monkeypatch.setattr(packaged, "minilm_folder", missing)
    found = doctor.examine()
    assert found["encoders"]["minilm"] == "It is not installed: run pip install this."
    assert found["broken"] == []
