"""Configs by name and by path, from a checkout, a package and a user's own folder."""

import pathlib
import subprocess
import sys

import pytest

from gentle_clip_jax import load_config
from gentle_clip_jax.tasks import TASKS, default_config

ROOT = pathlib.Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "configs").glob("[!_]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configs_load_by_name_and_by_path(name):
    by_name = load_config(name)
    assert by_name.to_dict() == load_config(ROOT / "configs" / f"{name}.py").to_dict()
    assert by_name.is_locked


def test_a_config_without_overrides_has_the_defaults_of_its_task():
    assert load_config("icons").to_dict() == default_config("icons").to_dict()
    assert load_config("protein").to_dict() == default_config("proteins").to_dict()


def test_overrides_reach_a_shipped_config():
    assert load_config("icons", ["--config.train.steps=7"]).train.steps == 7
    with pytest.raises(ValueError, match=r"The config icons has no key config\.train\.step: did"):
        load_config("icons", ["--config.train.step=7"])


def write(path, base, steps):
    """Write a user's own config."""
    path.write_text(
        "def get_config(base):\n"
        f"    config = base({base!r})\n"
        f"    config.train.steps = {steps}\n"
        "    return config\n"
    )


@pytest.mark.parametrize("base", [*TASKS, *NAMES])
def test_a_users_own_config_starts_from_a_task_or_a_shipped_one(base, tmp_path, monkeypatch):
    write(tmp_path / "mine.py", base, steps=5)
    monkeypatch.chdir(tmp_path)
    path = sys.path.copy()
    for name in ("mine.py", "./mine.py", tmp_path / "mine.py"):
        assert load_config(name).train.steps == 5
    assert sys.path == path


def test_a_users_own_config_starts_from_another_in_its_folder(tmp_path):
    write(tmp_path / "first.py", "icons_clip", steps=5)
    write(tmp_path / "second.py", "first.py", steps=7)
    config = load_config(tmp_path / "second.py")
    assert (config.train.steps, config.train.batch_unmatched) == (7, 0)
    assert load_config(tmp_path / "first.py").train.steps == 5


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("protien", "There is no config protien"),
        ("protien", "Did you mean protein"),
        ("elsewhere.py", "There is no config elsewhere.py"),
        ("mine.py", "it is based on itself"),
    ],
)
def test_a_base_that_cannot_be_used_is_named_with_its_line(base, words, tmp_path):
    write(tmp_path / "mine.py", base, steps=5)
    with pytest.raises(ValueError, match=words) as error:
        load_config(tmp_path / "mine.py")
    assert str(error.value).startswith(f"The config {tmp_path / 'mine.py'} fails with ValueError: ")
    assert str(error.value).endswith(f"({tmp_path / 'mine.py'}, line 2).")


def test_a_key_that_is_not_there_is_named_with_its_line(tmp_path):
    write(tmp_path / "mine.py", "icons", steps="5\n    config.train.step = 5")
    with pytest.raises(ValueError, match=r"step.*mine\.py, line 4\)\.$"):
        load_config(tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("icon", "icons"),
        ("configs/icons.yaml", "icons"),
        ("elsewhere/remote_sensing.py", "remote_sensing"),
        ("__init__", None),
        ("zzz", None),
    ],
)
def test_an_unknown_config_is_told_the_names_in_one_sentence(name, nearest):
    with pytest.raises(ValueError, match=rf"^There is no config {name}: ") as error:
        load_config(name)
    message = str(error.value)
    assert ", ".join(NAMES) in message
    assert message.endswith(f". Did you mean {nearest}?" if nearest else f"{NAMES[-1]}.")


def test_a_checkout_that_is_not_installed_has_its_configs(tmp_path):
    """As where dependencies are installed and PYTHONPATH names the checkout."""
    script = (
        "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        "from gentle_clip_jax import load_config\n"
        "print(load_config('icons_clip').train.batch_unmatched)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert process.stdout.split() == ["0"], process.stderr
