"""Every command on every page: program, options, extras and files are there; other Python runs.

The tutorial's are run by test_tutorial.py, the quickstart's by commands/test_quickstart.py.
"""

import argparse
import pathlib
import re
import shlex
import tomllib

import numpy as np
import pytest
from test_docs import DOCS, ROOT, blocks, name_of

from gentle_clip_jax.commands import main

PAGES = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# Shell, and programs that others wrote.
OTHERS = {"bash", "cd", "done", "export", "for", "kubectl", "sbatch", "source", "sphinx-build"}
OTHERS |= {"cp", "git", "rm", "nohup", "kill", "tail", "ssh"}


def commands(path: pathlib.Path) -> list[list[str]]:
    found = []
    for block in blocks(path, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for one in re.split(r"&&|;", line.partition(" # ")[0]):
                words = shlex.split(one, comments=True)
                while words and re.match(r"[A-Z_]+=|do$", words[0]):  # variables of the environment
                    words = words[1:]
                found += [words] if words else []
    return found


def is_sound(parser: argparse.ArgumentParser, program: str, words: list[str]) -> bool:
    """Whether there is a program, and what it is given by name."""
    if program == "gentle-clip":
        try:
            args, rest = parser.parse_known_args(words)
        except SystemExit:
            return False
        return not rest or (args.config and all(word.startswith("--config.") for word in rest))
    if program == "pip":
        named = re.findall(r"\[([\w,]+)\]", " ".join(words))
        return {extra for names in named for extra in names.split(",")} <= EXTRAS.keys()
    if program.endswith(("python", "python3")):
        script, *options = words
        if script == "-m":
            return True
        named = [word.partition("=")[0] for word in options if word.startswith("--")]
        return (ROOT / script).exists() and all(n in (ROOT / script).read_text() for n in named)
    return program in OTHERS or program.startswith(".venv/") or (ROOT / program).exists()


def test_commands_have_their_programs_options_and_extras():
    parser = main._parser()
    wrong = [
        f"{name_of(path)}: {shlex.join([program, *words])}"
        for path in PAGES
        for program, *words in commands(path)
        if not is_sound(parser, program, words)
    ]
    assert not wrong, "\n".join(wrong)


def test_options_within_a_sentence_are_there():
    (choices,) = (a.choices for a in main._parser()._actions if isinstance(a.choices, dict))
    wrong = []
    for path in PAGES:
        for name, rest in re.findall(r"`gentle-clip ([\w-]+)([^`]*)`", path.read_text()):
            named = re.findall(r"--[\w-]+(?![\w.-])", rest) if name != "data" else []
            known = choices[name]._option_string_actions if name in choices else {}
            lost = [option for option in named if option not in known and "config" not in option]
            if name not in choices or lost:
                wrong.append(f"{name_of(path)}: {name} {' '.join(lost)}")
    assert not wrong, "\n".join(wrong)


PLACEHOLDERS = """
import numpy as np
from gentle_clip_jax import Problem, align
draw = np.random.default_rng(0).standard_normal
x = draw((40, 6), np.float32)
y = x @ draw((6, 5), np.float32) + 0.1 * draw((40, 5), np.float32)
unmatched_x, unmatched_y = draw((60, 6), np.float32), draw((60, 5), np.float32)
new_x, new_y = draw((9, 6), np.float32), draw((9, 5), np.float32)
classifier, names = draw((4, 6), np.float32), draw((4, 5), np.float32)
rows_of_pairs = np.stack([np.arange(30)] * 2, axis=1)
"""
FITTED = """
from gentle_clip_jax import Collection
ids = np.array([f"i{number}" for number in range(40)])
pictures, texts = Collection(x, ids), Collection(y, ids)
pictures.save("features/pictures"), texts.save("features/texts")
align("features/pictures", "features/texts", rows_of_pairs, method="cca", out="aligner")
"""
TWO_FOLDERS = """
from gentle_clip_jax import Collection
ids = np.array([f"i{number}" for number in range(100)])
Collection(np.concatenate([x, unmatched_x]), ids).save("features/pictures")
Collection(np.concatenate([y, unmatched_y]), ids).save("features/texts")
with open("pairs.csv", "w") as file:
    file.writelines(f"i{number},i{number}\\n" for number in range(40))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "before", "result"),
    [
        ("choose_a_method.md", TWO_FOLDERS, ("ranked", (9, 9))),
        ("review_and_match.md", FITTED, ("matches", None)),
    ],
)
def test_python_on_arrays_runs(name, before, result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(PLACEHOLDERS + before, found)
    for block in blocks(DOCS / name):
        if "gc.review(" not in block:  # which waits for a person, or needs all partners
            exec(block, found)
    variable, shape = result
    assert shape is None or np.shape(found[variable]) == shape
    assert name != "review_and_match.md" or len(found["matches"].rows) == 10


def test_the_start_page_runs():
    (block,) = blocks(DOCS / "index.md")
    found = {}
    exec(block, found)
    assert np.isfinite(found["total"])
    assert {*found["terms"]} == {"clip", "mmd", "sdd"}
