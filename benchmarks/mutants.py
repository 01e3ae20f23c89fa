"""Mutation testing: makes small changes of the syntax tree one by one, and runs the tests.

    python benchmarks/mutants.py [--sample 1] [--seed 0] [--only REGEX] [--workers 2]

Mutants are those of benchmarks/mutants.toml, and of each module as many sampled ones as --sample
says. The tests are those that noticed a mutant the last time, then the module's own, then all of
its folder. Outcomes are kept in docs/results/mutants.json until the module or its own tests change,
so that a run that was stopped goes on. Survivors are listed in docs/results/mutants.md.
"""

import argparse
import ast
import collections
import concurrent.futures
import contextlib
import copy
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import queue
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import tomllib
from collections.abc import Iterable, Iterator

from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.training.provenance import commit

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
OUTCOMES = RESULTS / "mutants.json"
TABLE = tomllib.loads((ROOT / "benchmarks" / "mutants.toml").read_text())
COPIED = ("gentle_clip_jax", "configs", "tests", "docs", "launch", "benchmarks")
COPIED += ("pyproject.toml", "README.md", "CHANGELOG.md", "CITATION.cff")
SECONDS = {"noticed": 300, "own": 600, "folder": 1800}  # after which a stage of tests hangs
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SWAPPED = {ast.And: ast.Or, ast.Or: ast.And}
REMOVED = {"axis", "keepdims", "where", "axis_name"}  # keywords that a call may lose
SYMMETRIC = {"max", "min", "maximum", "minimum", "logaddexp"}  # calls whose arguments commute
PRINTING = {"print", "say", "tell", "info", "warning", "warn"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A changed module: its group and name, its file and the syntax tree's new text."""

    group: str
    name: str
    path: pathlib.Path
    text: str

    def key(self) -> str:
        """SHA-256 of what an outcome depends on: the changed module and its own tests."""
        files = own_tests(self.path) or folder_tests(self.path)
        texts = [self.text, *((ROOT / name).read_text() for name in files if name.endswith(".py"))]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()


# Places ------------------------------------------------------------------------------------------


@functools.cache
def modules() -> dict[str, pathlib.Path]:
    """Each file of the package and of configs by its dotted name: losses.mmd, configs.icons."""
    paths = [*(ROOT / "gentle_clip_jax").rglob("*.py"), *(ROOT / "configs").glob("*.py")]
    names = {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path for path in paths}
    return {
        name.removeprefix("gentle_clip_jax.").removesuffix(".__init__"): path
        for name, path in sorted(names.items())
        if not name.startswith("gentle_clip_jax.configs")
    }


@functools.cache
def scopes(path: pathlib.Path) -> list[tuple[str, ast.stmt]]:
    """Functions and classes of a file by qualified name; so are constants, by their target."""
    found = []

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, SCOPES):
                found.append((prefix + child.name, child))
                walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.Assign | ast.AnnAssign | ast.AugAssign):
                target = child.targets[0] if isinstance(child, ast.Assign) else child.target
                if isinstance(node, ast.Module | ast.ClassDef):
                    found.append((prefix + ast.unparse(target), child))
            else:
                walk(child, prefix)

    walk(ast.parse(path.read_text()), "")
    return found


@functools.cache
def places() -> dict[str, list[tuple[str, str, ast.stmt]]]:
    """Module, qualified name and tree of all that is called by a name, wherever it stands."""
    found = collections.defaultdict(list)
    for module, path in modules().items():
        for name, node in scopes(path):
            found[name.rpartition(".")[2]].append((module, name, node))
    return found


# Patterns ----------------------------------------------------------------------------------------


@functools.cache
def pattern(text: str) -> ast.AST:
    """The tree of an expression or a statement; of nothing, that of `pass`."""
    (statement,) = ast.parse(text or "pass").body
    return statement.value if isinstance(statement, ast.Expr) else statement


def matches(find: object, node: object, bound: dict[str, ast.AST]) -> bool:
    """Whether a tree is that of a pattern, in which _1, _2, ... stand for any expression."""
    if isinstance(find, ast.Name) and re.fullmatch(r"_\d", find.id) and isinstance(node, ast.expr):
        first = bound.setdefault(find.id, node)
        return first is node or ast.dump(first) == ast.dump(node)
    if isinstance(find, list) and isinstance(node, list):
        return len(find) == len(node) and all(matches(a, b, bound) for a, b in zip(find, node))
    if isinstance(find, ast.AST) and type(find) is type(node):
        return all(
            matches(getattr(find, name, None), getattr(node, name, None), bound)
            for name in find._fields
        )
    return type(find) is type(node) and find == node


def filled(replace: ast.AST, bound: dict[str, ast.AST]) -> ast.AST:
    """A pattern with what its names stand for."""
    new = copy.deepcopy(replace)
    if isinstance(new, ast.Name) and new.id in bound:
        return copy.deepcopy(bound[new.id])
    names = {id(n): bound[n.id] for n in ast.walk(new) if isinstance(n, ast.Name) and n.id in bound}
    return Put(names).visit(new)


class Put(ast.NodeTransformer):
    """Puts other nodes in the places of some, given by their `id`."""

    def __init__(self, new: dict[int, ast.AST]):
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new[id(node)] if id(node) in self.new else self.generic_visit(node)


def rewritten(path: pathlib.Path, scope: ast.stmt, new: dict[int, ast.AST]) -> str:
    """A file in which one function has other nodes, by the `id` of the old ones."""
    copied = copy.deepcopy(scope, memo := {})
    tree = Put({id(memo[old]): node for old, node in new.items()}).visit(copied)
    text = textwrap.indent(ast.unparse(ast.fix_missing_locations(tree)), " " * scope.col_offset)
    lines = path.read_text().splitlines(keepends=True)
    first = min([scope.lineno, *(one.lineno for one in getattr(scope, "decorator_list", ()))])
    return "".join([*lines[: first - 1], text, "\n", *lines[scope.end_lineno :]])


def replacements(scope: ast.stmt, changes: list[str]) -> dict[int, ast.AST]:
    """The new nodes of a function by the `id` of the old ones; empty if a change has no place."""
    new = {}
    for change in changes:
        find, _, replace = change.partition("->")
        places = {}
        for node in ast.walk(scope):
            if matches(pattern(find.strip()), node, bound := {}):
                places[id(node)] = filled(pattern(replace.strip()), bound)
        if not places:
            return {}
        new |= places
    return new


def listed() -> Iterator[Mutant | str]:
    """The mutants of mutants.toml, or what is wrong with one.

    A function that is no longer in its module, or in its class, is looked for everywhere by name.
    """
    for group, rows in TABLE["listed"].items():
        for name, (place, *changes) in rows.items():
            module, _, function = place.partition(":")
            changes = [change for change in changes if "->" in change]
            found = [
                ((other == module) + (qualified == function), other, node, new)
                for other, qualified, node in places()[function.rpartition(".")[2]]
                if (new := replacements(node, changes))
            ]
            best = [one for one in found if one[0] == max(found, key=lambda one: one[0])[0]]
            if len(best) == 1:
                path = modules()[best[0][1]]
                yield Mutant(group, name, path, rewritten(path, *best[0][2:]))
            else:
                why = f"is in {len(best)} places" if best else "is not there"
                yield f"{function} (was in {module}): {' and '.join(changes)} {why}: {name}"


# Sampled mutants ---------------------------------------------------------------------------------


@functools.cache
def patterns() -> dict[type, list[tuple[str, ast.AST, ast.AST]]]:
    """The operators of mutants.toml by the type of node that they change."""
    found = collections.defaultdict(list)
    for name, changes in TABLE["operators"].items():
        for change in changes:
            find, replace = map(pattern, change.split(" -> "))
            found[type(find)].append((name, find, replace))
    return found


def operators(node: ast.AST, parameters: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Each change of one node: the operator's name and the new node."""
    for name, find, replace in patterns().get(type(node), ()):
        if matches(find, node, bound := {}):
            yield name, filled(replace, bound)
    match node:
        case ast.Constant(value=bool()):
            yield "constant", ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield "constant", ast.Constant({0: 1, 1: 0}.get(node.value, node.value + 1))
        case ast.Constant(value=float()):
            yield "constant", ast.Constant(node.value / 2 if node.value else 1.0)
        case ast.BoolOp():
            yield "logic", ast.BoolOp(SWAPPED[type(node.op)](), node.values)
        case ast.If() | ast.While():
            negated = ast.UnaryOp(ast.Not(), node.test)
            yield "condition", type(node)(negated, node.body, node.orelse)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
            yield "statement", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement", ast.Pass()
        case ast.Return(value=ast.Call(args=[ast.Name(id=name), *_])) if name in parameters:
            yield "return", ast.Return(ast.Name(name, ast.Load()))
    if isinstance(node, ast.Call):
        symmetric = ast.unparse(node.func).rpartition(".")[2] in SYMMETRIC
        if len({*map(ast.dump, node.args)}) == 2 == len(node.args) and not symmetric:
            yield "arguments", ast.Call(node.func, node.args[::-1], node.keywords)
        for keyword in node.keywords:
            if keyword.arg in REMOVED:
                rest = [one for one in node.keywords if one is not keyword]
                yield "keyword", ast.Call(node.func, node.args, rest)


def own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes whose change can matter: not inner functions, prints, and the words of errors."""
    for child in nodes:
        called = child.value if isinstance(child, ast.Expr) else child
        name = ast.unparse(called.func) if isinstance(called, ast.Call) else ""
        if isinstance(child, SCOPES) or name.rpartition(".")[2] in PRINTING:
            continue
        yield child
        if not isinstance(child, ast.Raise):
            yield from own_nodes(ast.iter_child_nodes(child))


@functools.cache
def addresses(module: str) -> dict[str, tuple[ast.stmt, dict[int, ast.AST]]]:
    """All mutants of a module by function, operator and ordinal: the function, and what is new."""
    found = {}
    for function, scope in scopes(modules()[module]):
        if isinstance(scope, ast.FunctionDef):
            count, arguments = collections.Counter(), scope.args
            parameters = {arg.arg for arg in [*arguments.posonlyargs, *arguments.args]}
            for node in own_nodes(scope.body):
                for operator, new in operators(node, parameters):
                    count[operator] += 1
                    name = f"{module}:{function} {operator} {count[operator]}"
                    found[name] = (scope, {id(node): new})
    return found


def sampled(number: int, seed: int) -> Iterator[Mutant]:
    """So many mutants of each module; those of a module depend on it and on the seed alone."""
    for module, path in modules().items():
        names = sorted(addresses(module))
        rng = random.Random(f"{seed} {module}")
        for name in rng.sample(names, min(number, len(names))):
            scope, new = addresses(module)[name]
            old = next(node for node in ast.walk(scope) if id(node) in new)
            change = [ast.unparse(node).partition("\n")[0] for node in (old, new[id(old)])]
            text = rewritten(path, scope, new)
            yield Mutant(module.partition(".")[0], f"{name}: {' -> '.join(change)}", path, text)


# Tests -------------------------------------------------------------------------------------------


def own_tests(path: pathlib.Path) -> list[str]:
    """The test files of a module: those called like it in the mirrored folder, or in `tests`."""
    stem = path.stem if path.stem != "__init__" else path.parent.name
    folders = (ROOT.joinpath("tests", *path.relative_to(ROOT).parent.parts[1:]), ROOT / "tests")
    called = f"test_{stem.strip('_')}*.py"
    files = [file for folder in folders for file in sorted(folder.glob(called))]
    return [file.relative_to(ROOT).as_posix() for file in dict.fromkeys(files)]


@functools.cache
def folder_tests(path: pathlib.Path) -> list[str]:
    """The mirrored folder of tests; for a module without one, the tests that name the module."""
    folder = pathlib.Path("tests", *path.relative_to(ROOT).parent.parts[1:])
    while folder != pathlib.Path("tests") and not (ROOT / folder).is_dir():
        folder = folder.parent
    if folder != pathlib.Path("tests"):
        return [folder.as_posix()]
    stem = path.stem if path.stem != "__init__" else path.parent.name
    named = re.compile(rf"\b{stem.strip('_')}\b")
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    files = [file for file in files if named.search(file.read_text())]
    return [file.relative_to(ROOT).as_posix() for file in files] or ["tests/tasks/test_config.py"]


def stages(mutant: Mutant, noticed_by: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The tests of a mutant, the likeliest to notice it first."""
    rows = TABLE["listed"].get(mutant.group, {}).get(mutant.name, ())
    known = [name for name in noticed_by if (ROOT / name.partition("::")[0]).exists()]
    yield "noticed", known
    yield "own", own_tests(mutant.path) + [row for row in rows if row.startswith("tests/")]
    yield "folder", folder_tests(mutant.path)


# Runs --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def copy_of_the_tree() -> Iterator[pathlib.Path]:
    """A copy that Python imports instead of the tree, with what the tree's tests have compiled.

    A compiled program is found by all that it is made of: one that is changed is another.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = pathlib.Path(name)
        for part in COPIED:
            if (ROOT / part).is_dir():
                skip = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, folder / part, ignore=skip)
            else:
                shutil.copy(ROOT / part, folder / part)
        compiled = ROOT / "runs" / "mutants"
        compiled.mkdir(parents=True, exist_ok=True)
        (folder / ".pytest_cache").mkdir()
        (folder / ".pytest_cache" / "compiled").symlink_to(compiled)
        yield folder


def run(folder: pathlib.Path, tests: list[str], seconds: int) -> tuple[int, list[str]]:
    """What pytest ends with, and the tests that failed; 1 and none if it takes too long."""
    marker = "slow or not slow" if all("::" in name for name in tests) else "not slow"
    options = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-m", marker]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        process = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return 1, []
    text = process.stdout.decode(errors="replace")
    return process.returncode, re.findall(
        r"^(?:FAILED|ERROR) (.+?)(?: - |$)", text, flags=re.MULTILINE
    )


def try_out(mutant: Mutant, noticed_by: list[str], copies: queue.Queue) -> dict:
    """Whether tests notice a mutant, which, and how long that takes.

    Raises:
      RuntimeError: the tests that notice it fail without it too.
    """
    start, folder = time.monotonic(), copies.get()
    path = folder / mutant.path.relative_to(ROOT)
    original, failed, noticed = path.read_text(), [], False
    try:
        for stage, tests in stages(mutant, noticed_by):
            if not tests:
                continue
            path.write_text(mutant.text)
            code, failed = run(folder, tests, SECONDS[stage])
            path.write_text(original)
            # 5: none is selected; 4: a test is no longer there, or a conftest.py fails to import.
            if noticed := code not in (0, 5) and (code != 4 or stage != "noticed"):
                break
        by = [name for name in failed if "::" in name]
        if noticed and by and run(folder, by, SECONDS["own"])[0]:
            raise RuntimeError(f"{mutant.name}: {by} fail without it too.")
    finally:
        path.write_text(original)
        copies.put(folder)
    seconds = round(time.monotonic() - start, 1)
    return {"key": mutant.key(), "noticed": noticed, "seconds": seconds, "by": failed}


def try_all(todo: list[Mutant], known: dict, workers: int) -> Iterator[tuple[Mutant, dict]]:
    """Each mutant with its outcome."""
    copies = queue.Queue()
    with contextlib.ExitStack() as stack:
        for _ in range(workers):
            copies.put(stack.enter_context(copy_of_the_tree()))
        noticed_by = [known.get(mutant.name, {}).get("by", []) for mutant in todo]
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            outcomes = pool.map(functools.partial(try_out, copies=copies), todo, noticed_by)
            yield from zip(todo, outcomes)


# Page --------------------------------------------------------------------------------------------

PAGE = """# Mutation testing: do tests notice small changes of the code?

`{command}` on {cpus} x {processor}, with python {python}, jax {jax}:
{minutes:.0f} minutes, one mutant after the other. A mutant is a small change of the syntax tree of
one function, made in a copy of the repository; at least one test must fail. *Listed* mutants are in
[benchmarks/mutants.toml](../../benchmarks/mutants.toml); each would be a serious error. *Sampled*
mutants are chosen at random from all that a set of operators can make of a module.
[mutants.json](mutants.json) lists the tests that noticed each.

| group | mutants | noticed |
| --- | ---: | ---: |
{counts}

## Survivors

{survivors}
"""


def report(mutants: list[Mutant], outcomes: dict, found: dict) -> int:
    """Writes the results of a machine and a command; 1 if a listed mutant survives."""
    tried = [mutant for mutant in mutants if mutant.name in outcomes]
    listed = {name for rows in TABLE["listed"].values() for name in rows}
    counts, survived = collections.defaultdict(list), []
    for mutant in tried:
        noticed = outcomes[mutant.name]["noticed"]
        kind = "listed" if mutant.name in listed else "sampled"
        for group in (f"{kind}: {mutant.group}", f"{kind}: all"):
            counts[group].append(noticed)
        if not noticed:
            why = TABLE["argued"].get(mutant.name, "not argued")
            survived.append(f"- {kind}: {mutant.name} (`{mutant.path.relative_to(ROOT)}`): {why}")
    found |= {"outcomes": {mutant.name: outcomes[mutant.name] for mutant in tried}}
    _write(found)
    page = PAGE.format(
        command=found["command"],
        minutes=sum(outcomes[mutant.name]["seconds"] for mutant in tried) / 60,
        counts="\n".join(f"| {group} | {len(n)} | {sum(n)} |" for group, n in counts.items()),
        survivors="\n".join(survived) or "None.",
        **found["machine"],
    )
    (RESULTS / "mutants.md").write_text(page)
    print(f"{len(tried)} of {len(mutants)} mutants were tried, {len(survived)} survived.")
    return int(any(line.startswith("- listed") for line in survived))


def _write(found: dict) -> None:
    OUTCOMES.write_text(json.dumps(found, separators=(",", ":")) + "\n")


def main() -> int:
    """Tries the mutants and writes docs/results/mutants.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, default=1, help="sampled mutants of each module")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--only", default="", help="regular expression of group, name or path")
    parser.add_argument("--workers", type=int, default=2, help="number of mutants at a time")
    parser.add_argument("--report-only", action="store_true", help="write the page, run nothing")
    args = parser.parse_args()
    if lost := [one for one in listed() if isinstance(one, str)]:
        print("Not found, so that mutants.toml must be changed:", *lost, sep="\n")
        return 1
    mutants = [*listed(), *sampled(args.sample, args.seed)]
    known = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}
    outcomes = known.pop("outcomes", {})
    if not args.report_only:
        if not args.only or not known:  # else it is not what most of the page comes from
            known["command"] = shlex.join(["python", "benchmarks/mutants.py", *sys.argv[1:]])
            known |= {"machine": machine(), "commits": [commit()]}
        chosen = [
            mutant
            for mutant in mutants
            if re.search(args.only, f"{mutant.group} {mutant.name} {mutant.path.relative_to(ROOT)}")
            and outcomes.get(mutant.name, {}).get("key") != mutant.key()
        ]
        for number, (mutant, outcome) in enumerate(try_all(chosen, outcomes, args.workers), 1):
            outcomes[mutant.name] = outcome
            _write(known | {"outcomes": outcomes})
            result = "noticed " if outcome["noticed"] else "SURVIVED"
            print(f"{number:3}/{len(chosen)} {result} {outcome['seconds']:6.1f} s  {mutant.name}")
            sys.stdout.flush()
    return report(mutants, outcomes, known)


if __name__ == "__main__":
    sys.exit(main())
