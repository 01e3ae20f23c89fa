"""Prints the part of launch/requirements.lock that some extras need, for pip --require-hashes.

    python launch/locked.py dev,transport

Ends with 1 and one line where there is no lock for the interpreter or the platform.
"""

import pathlib
import platform
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOCKED_FOR = ("CPython", "3.11", "Linux", "x86_64")
OWN = "gentle-clip-jax"


def canonical(requirement: str) -> str:
    """The name of a package, as the lock writes it, of what names it in any way."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def entries(text: str) -> dict[str, tuple[str, set[str]]]:
    """From each package of a lock to its lines and the packages that need it."""
    found = {}
    for block in re.split(r"\n(?=[\w])", text):
        if not re.match(r"[\w.-]+==", block):
            continue  # what is said on top
        lines = block.splitlines()
        pins = [line for line in lines if not line.lstrip().startswith("#")]
        said = re.sub(r"\bvia\b|#", " ", " ".join(line for line in lines if line not in pins))
        needed_by = {canonical(name) for name in re.sub(r"\([^)]*\)", " ", said).split()}
        found[canonical(block)] = "\n".join(pins), needed_by
    return found


def roots(project: dict, extras: list[str]) -> set[str]:
    """The packages that the project names itself, for some of its extras."""
    wanted, todo = set(), ["", *extras]
    done = set()
    while todo:
        if (extra := todo.pop()) in done:
            continue
        done.add(extra)
        optional = project["optional-dependencies"]
        for requirement in optional[extra] if extra else project["dependencies"]:
            if canonical(requirement) == OWN:
                todo += re.search(r"\[(.*)\]", requirement)[1].split(",")
            else:
                wanted.add(canonical(requirement))
    return wanted


def closure(lock: dict[str, tuple[str, set[str]]], wanted: set[str]) -> list[str]:
    """The names of what is wanted and of all that this needs, as far as they are in the lock."""
    kept = {*wanted}
    while more := {name for name, (_, by) in lock.items() if by & kept} - kept:
        kept |= more
    return sorted(kept & lock.keys())


def main() -> int:
    here = (
        platform.python_implementation(),
        ".".join(platform.python_version_tuple()[:2]),
        platform.system(),
        platform.machine(),
    )
    if here != LOCKED_FOR:
        print(
            f"There is no lock for {' '.join(here)}: versions are the newest within the ranges of "
            "pyproject.toml.",
            file=sys.stderr,
        )
        return 1
    lock = entries((ROOT / "launch" / "requirements.lock").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = sys.argv[1].split(",") if sys.argv[1:] and sys.argv[1] else []
    for name in closure(lock, roots(project, extras)):
        print(lock[name][0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
