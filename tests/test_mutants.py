"""The table of benchmarks/mutants.py is of this code and of these tests."""

import ast
import dataclasses
import functools
import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@functools.cache
def runner():
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "benchmarks" / "mutants.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where data classes look for their types
    spec.loader.exec_module(module)
    return module


@functools.cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


MUTANTS = runner().read()


def test_there_are_many_of_each_area():
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len({*names}) >= 60
    areas = {mutant.area for mutant in MUTANTS}
    assert areas == {
        "losses",
        "aligners",
        "matching",
        "splits",
        "evaluation",
        "training",
        "checkpoints",
        "encoders",
        "search",
    }


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_change_is_of_one_place_and_has_its_tests(mutant):
    assert ast.dump(ast.parse(mutant.text())) != ast.dump(
        ast.parse((ROOT / mutant.path).read_text())
    )
    for test in mutant.tests:
        path, name, *more = test.split("::")
        assert not more
        assert name.partition("[")[0] in names_in(path), test


def test_an_old_text_that_is_not_there_once_is_refused():
    for old in ("there is no such text", "import"):
        with pytest.raises(ValueError, match="times, not once"):
            dataclasses.replace(MUTANTS[0], old=old).text()
