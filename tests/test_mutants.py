"""Mutants of benchmarks/mutants.py: the listed ones are in this code, and operators change it."""

import ast
import functools
import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("mutants", ROOT / "benchmarks" / "mutants.py")
mutants = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = mutants  # where data classes look for their types
spec.loader.exec_module(mutants)


@functools.cache
def tree(path) -> str:
    return ast.dump(ast.parse(path.read_text()))


def is_changed(mutant) -> bool:
    return ast.dump(ast.parse(mutant.text)) != tree(mutant.path)


def test_every_listed_mutant_is_in_the_code_and_has_tests():
    found = [*mutants.listed()]
    wrong = [one for one in found if isinstance(one, str)]
    sound = [one for one in found if not isinstance(one, str)]
    wrong += [f"{one.name}: it changes nothing" for one in sound if not is_changed(one)]
    for one in sound:
        tests = [name for _, names in mutants.stages(one, []) for name in names]
        wrong += [f"{one.name}: there is no {name}" for name in tests if not (ROOT / name).exists()]
        wrong += [] if tests else [f"{one.name}: no tests"]
    assert not wrong, "\n".join(wrong)
    assert len({one.name for one in sound}) == len(sound) >= 170


def test_every_module_has_tests():
    paths = mutants.modules().values()
    assert all(mutants.own_tests(path) or mutants.folder_tests(path) for path in paths)


def test_a_sample_depends_on_the_seed_and_changes_a_function(monkeypatch):
    few = dict([*mutants.modules().items()][::30])
    monkeypatch.setattr(mutants, "modules", lambda: few)
    sample = [*mutants.sampled(2, seed=0)]
    assert len(sample) >= len(few)
    assert all(map(is_changed, sample))
    names = [one.name for one in sample]
    assert names == [one.name for one in mutants.sampled(2, seed=0)]
    assert names != [one.name for one in mutants.sampled(2, seed=1)]


SOURCE = '''
def f(x, y, n=3):
    """Not changed: 1 + 1."""
    if x < y and not n:
        raise ValueError(f"{x + y} is wrong")
    print(x + 1)
    x.cache[0] = 2.0
    return g(x, y, axis=True)
'''


def test_operators_change_what_can_matter(tmp_path, monkeypatch):
    (tmp_path / "one.py").write_text(SOURCE)
    monkeypatch.setattr(mutants, "modules", lambda: {"one": tmp_path / "one.py"})
    texts = [mutant.text for mutant in mutants.sampled(99, seed=0)]
    for change in (
        "x <= y and (not n)",
        "x < y or not n",
        "x < y and n",
        "if not (x < y and (not n))",
        "        pass\n    print(x + 1)",
        "x.cache[1] = 2.0",
        "x.cache[0] = 1.0",
        "print(x + 1)\n    pass",
        "g(x, y, axis=False)",
        "g(y, x, axis=True)",
        "g(x, y)",
        "return x\n",
    ):
        assert sum(change in text for text in texts) == 1, change
    assert len(texts) == 12


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        (["_1 + _1 -> 2 * _1"], "def f(a, b):\n    return 2 * a + (a + b)"),
        (["a - b -> a"], None),
        (["return _1 ->"], "def f(a, b):\n    pass"),
        (["a -> b", "b -> a"], "def f(a, b):\n    return b + b + (b + a)"),
    ],
)
def test_a_pattern_is_of_the_tree(changes, result, tmp_path):
    path = tmp_path / "one.py"
    path.write_text("def f(a, b):\n    return ((a + a) +\n            (a+b))\n")
    ((_, scope),) = mutants.scopes(path)
    new = mutants.replacements(scope, changes)
    assert (mutants.rewritten(path, scope, new).rstrip() if new else None) == result


def test_a_function_that_moved_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "new.py").write_text("class A:\n    def f(self):\n        return 1\n")
    (tmp_path / "other.py").write_text("def f():\n    return 2\n")
    files = {path.stem: path for path in tmp_path.glob("*.py")}
    rows = {"moved": ["old:f", "1 -> 0"], "lost": ["old:f", "3 -> 0"]}
    monkeypatch.setattr(mutants, "modules", lambda: files)
    monkeypatch.setattr(mutants, "TABLE", {"listed": {"all": rows}})
    mutants.places.cache_clear()
    moved, lost = mutants.listed()
    mutants.places.cache_clear()
    assert moved.path == tmp_path / "new.py"
    assert "return 0" in moved.text
    assert lost == "f (was in old): 3 -> 0 is not there: lost"
