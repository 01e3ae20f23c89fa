"""Configs by name and by path, from a checkout, a package and a user's own folder."""

import pathlib
import subprocess
import sys

import pytest
from gentle_clip_jax.configs import default, icons_clip

from gentle_clip_jax import load_config

ROOT = pathlib.Path(__file__).parents[1]
NAMES = sorted(path.stem for path in (ROOT / "configs").glob("[!_]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configs_load_by_name_and_by_path(name):
    by_name = load_config(name)
    assert by_name.to_dict() == load_config(ROOT / "configs" / f"{name}.py").to_dict()
    assert by_name.is_locked


def test_shipped_configs_can_be_imported():
    assert load_config("default").to_dict() == default.get_config().to_dict()
    assert icons_clip.get_config().train.batch_unmatched == 0


def test_overrides_reach_a_shipped_config():
    assert load_config("icons", ["--config.train.steps=7"]).train.steps == 7
    with pytest.raises(ValueError, match=r"The config icons has no key config\.train\.step: did"):
        load_config("icons", ["--config.train.step=7"])


def test_a_users_own_config_takes_a_shipped_one(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from gentle_clip_jax.configs import default\n"
        "def get_config():\n"
        "    config = default.get_config()\n"
        "    config.train.steps = 5\n"
        "    return config\n"
    )
    monkeypatch.chdir(tmp_path)
    path = sys.path.copy()
    for name in ("mine.py", "./mine.py", tmp_path / "mine.py"):
        assert load_config(name).train.steps == 5
    assert sys.path == path


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
    assert message.endswith(f"; the nearest is {nearest}." if nearest else f"{NAMES[-1]}.")


def test_a_checkout_that_is_not_installed_has_its_configs(tmp_path):
    """As where dependencies are installed and PYTHONPATH names the checkout."""
    script = (
        "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        "from gentle_clip_jax import load_config\n"
        "print(load_config('icons_clip').train.batch_unmatched)\n"
        "from gentle_clip_jax.configs import default\n"
        "print(default.__name__)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert process.stdout.split() == ["0", "gentle_clip_jax.configs.default"], process.stderr
