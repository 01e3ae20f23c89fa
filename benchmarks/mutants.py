"""Makes the small changes of benchmarks/mutants.toml one by one: does a test notice each of them?

    python benchmarks/mutants.py [--workers 2] [--only REGEX] [--report-only]

Each change is made in a copy of the tree, where its tests alone are run; those of a change must
fail, and all of them pass without any. What is known of a change is kept in
docs/results/mutants.json until its source or its tests differ, so that a run that was stopped goes
on. Ends with an error if a change survives that has no `why`.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence

from gentle_clip_jax.runs.log import machine

ROOT = pathlib.Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "mutants.toml"
RESULTS = ROOT / "docs" / "results"
COPIED = ("gentle_clip_jax", "configs", "tests", "docs", "launch", "benchmarks")
COPIED += ("pyproject.toml", "README.md")
SECONDS = 300  # after which a change is one that hangs
FAILED = 1  # what pytest ends with where a test failed


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change of one place of a file, and the tests that must notice it.

    why: what the change leaves as it was, if no test can notice it.
    """

    area: str
    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    why: str = ""

    def text(self, root: pathlib.Path = ROOT) -> str:
        """The changed file of a tree.

        Raises:
          ValueError: the old text is not there, or not once.
        """
        text = (root / self.path).read_text()
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.path} has {times} times, not once: {self.old}")
        return text.replace(self.old, self.new)

    def key(self, root: pathlib.Path = ROOT) -> str:
        """SHA-256 of the changed file and of the tests' files: what an outcome depends on."""
        files = {root / test.partition("::")[0] for test in self.tests}
        parts = [self.text(root), *self.tests, *(path.read_text() for path in sorted(files))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read(table: pathlib.Path = TABLE) -> list[Mutant]:
    """All changes, in the order of the table."""
    rows = tomllib.loads(table.read_text())["mutant"]
    return [Mutant(**row | {"tests": tuple(row["tests"])}) for row in rows]


@contextlib.contextmanager
def copy_of_the_tree() -> Iterator[pathlib.Path]:
    """A copy that Python imports instead of the tree, with what the tree's tests have compiled.

    A compiled program is found by all that it is made of: one that is changed is another.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        copy = pathlib.Path(name)
        for part in COPIED:
            if (ROOT / part).is_dir():
                skip = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, copy / part, ignore=skip)
            else:
                shutil.copy(ROOT / part, copy / part)
        # As setup.py says; an editable install would lead back to the tree.
        (copy / "gentle_clip_jax" / "configs").symlink_to("../configs")
        compiled = ROOT / "runs" / "mutants"
        compiled.mkdir(parents=True, exist_ok=True)
        (copy / ".pytest_cache").mkdir()
        (copy / ".pytest_cache" / "compiled").symlink_to(compiled)
        script = "import gentle_clip_jax, gentle_clip_jax.configs as c; print(c.__file__)"
        said = subprocess.run(
            [sys.executable, "-c", script], cwd=copy, env=environment(copy), capture_output=True
        ).stdout.decode()
        if not said.startswith(str(copy)):
            raise RuntimeError(f"Python imports {said.strip()}, not the copy in {copy}.")
        yield copy


def environment(copy: pathlib.Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def run(copy: pathlib.Path, tests: Sequence[str]) -> tuple[int, str]:
    """What pytest ends with, and its last lines; `FAILED` if it takes too long."""
    options = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-m", "slow or not slow"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        process = subprocess.run(
            command, cwd=copy, env=environment(copy), capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"not done within {SECONDS} s"
    lines = process.stdout.decode(errors="replace").strip().splitlines()
    return process.returncode, "\n".join(lines[-15:])


def try_out(mutant: Mutant, copies: "Copies") -> dict:
    """Whether the tests notice a change, how long that takes, and what they say."""
    start = time.monotonic()
    with copies.one() as copy:
        path, key = copy / mutant.path, mutant.key(copy)
        original = path.read_text()
        path.write_text(mutant.text(copy))
        try:
            code, said = run(copy, mutant.tests)
        finally:
            path.write_text(original)
    if code not in (0, FAILED):
        raise RuntimeError(f"{mutant.name}: pytest ends with {code}, which tells nothing:\n{said}")
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", said, flags=re.MULTILINE)
    seconds = round(time.monotonic() - start, 1)
    return {"key": key, "noticed": code == FAILED, "seconds": seconds, "by": failed}


class Copies:
    """A copy of the tree for each worker."""

    def __init__(self, stack: contextlib.ExitStack, count: int):
        self._free = [stack.enter_context(copy_of_the_tree()) for _ in range(count)]
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self) -> Iterator[pathlib.Path]:
        with self._lock:
            copy = self._free.pop()
        try:
            yield copy
        finally:
            with self._lock:
                self._free.append(copy)


def check_soundness(tests: Sequence[str], copies: Copies) -> None:
    """Runs all tests without a change.

    Raises:
      RuntimeError: one fails, and would "notice" whatever is changed.
    """
    with copies.one() as copy:
        code, said = run(copy, tests)
    if code:
        raise RuntimeError(f"Without any change these tests fail:\n{said}")


def try_all(mutants: Sequence[Mutant], known: dict, workers: int) -> Iterator[tuple[Mutant, dict]]:
    """Each change with its outcome as soon as it is there, those that are known first."""
    todo = [m for m in mutants if known.get(m.name, {}).get("key") != m.key()]
    for mutant in mutants:
        if mutant not in todo:
            yield mutant, known[mutant.name]
    if not todo:
        return
    with contextlib.ExitStack() as stack:
        copies = Copies(stack, workers)
        every = list(dict.fromkeys(test for mutant in todo for test in mutant.tests))
        print(f"{len(every)} tests without any change", flush=True)
        parts = [part for k in range(workers) if (part := every[k::workers])]
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda part: check_soundness(part, copies), parts))
            jobs = {pool.submit(try_out, mutant, copies): mutant for mutant in todo}
            try:
                for job in concurrent.futures.as_completed(jobs):
                    yield jobs[job], job.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


PAGE = """# Small changes, and whether tests notice them

`{command}` on {cpus} x {processor}, with python {python}, jax {jax}; one after the other the
changes take {minutes:.0f} minutes. Each change of
[benchmarks/mutants.toml](../../benchmarks/mutants.toml) is made in a copy of the tree, where the
tests that must notice it are run; all of these pass without a change.

{counts}

## Survivors

{survivors}

## All of them

{table}
"""


def page(mutants: Sequence[Mutant], found: dict) -> str:
    """docs/results/mutants.md."""
    outcomes = found["outcomes"]
    areas = collections.Counter(mutant.area for mutant in mutants)
    survived = [mutant for mutant in mutants if not outcomes[mutant.name]["noticed"]]
    lost = collections.Counter(mutant.area for mutant in survived)
    counts = [[area, str(count), str(count - lost[area])] for area, count in areas.items()]
    counts.append(["all", str(len(mutants)), str(len(mutants) - len(survived))])
    kept = [f"- {m.name} (`{m.path}`): {m.why or '**not explained**'}" for m in survived]
    rows = []
    for mutant in mutants:
        outcome = outcomes[mutant.name]
        names = sorted({name.partition("::")[2].partition("[")[0] for name in outcome["by"]})
        by = ", ".join(f"`{name}`" for name in names) if outcome["noticed"] else "nothing"
        where = mutant.path.removeprefix("gentle_clip_jax/")
        rows.append([mutant.name, where, by, f"{outcome['seconds']:.0f}"])
    return PAGE.format(
        command=found["command"],
        minutes=sum(outcome["seconds"] for outcome in outcomes.values()) / 60,
        counts=table(["area", "changes", "noticed"], counts, numbers=2),
        survivors="\n".join(kept) or "None.",
        table=table(["changed", "in", "noticed by", "s"], rows, numbers=1),
        **found["machine"],
    )


def table(head: list[str], rows: list[list[str]], *, numbers: int) -> str:
    """A table whose last columns, so many of them, hold numbers."""
    rule = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def report(mutants: Sequence[Mutant], outcomes: dict, command: str) -> int:
    """Writes the page; 1 if there is a change of which nothing is known or explained."""
    if missing := [mutant.name for mutant in mutants if mutant.name not in outcomes]:
        print(f"{len(missing)} changes are not tried yet, {missing[0]} first.")
        return 1
    found = {
        "machine": machine(),
        "command": command,
        "outcomes": {mutant.name: outcomes[mutant.name] for mutant in mutants},
    }
    (RESULTS / "mutants.json").write_text(json.dumps(found, indent=2) + "\n")
    (RESULTS / "mutants.md").write_text(page(mutants, found))
    bad = [m.name for m in mutants if not outcomes[m.name]["noticed"] and not m.why]
    print(f"{len(mutants)} changes; survivors that nothing explains: {', '.join(bad) or 'none'}.")
    return int(bool(bad))


def main() -> int:
    """Tries all changes and writes docs/results/mutants.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2, help="changes at a time")
    parser.add_argument("--only", default="", help="areas, names or paths that match")
    parser.add_argument("--report-only", action="store_true", help="run nothing")
    args = parser.parse_args()
    mutants, path = read(), RESULTS / "mutants.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    outcomes, command = known.get("outcomes", {}), known.get("command", "")
    if not args.report_only:
        if not args.only:  # else it is not what most of the page comes from
            command = shlex.join(["python", "benchmarks/mutants.py", *sys.argv[1:]])
        chosen = [m for m in mutants if re.search(args.only, f"{m.area} {m.name} {m.path}")]
        for number, (mutant, outcome) in enumerate(try_all(chosen, outcomes, args.workers), 1):
            outcomes[mutant.name] = outcome
            path.write_text(json.dumps({"command": command, "outcomes": outcomes}, indent=2) + "\n")
            said = "noticed " if outcome["noticed"] else "SURVIVED"
            print(f"{number:3}/{len(chosen)} {said} {outcome['seconds']:5.1f} s  {mutant.name}")
            sys.stdout.flush()
    return report(mutants, outcomes, command)


if __name__ == "__main__":
    sys.exit(main())
