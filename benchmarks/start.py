"""What a command costs before it does anything new: a first start, and the next ones.

    python benchmarks/start.py [--repeats 3]

Writes docs/results/start.md and start.json. Two steps of the quickstart with batches of 16 are
trained in a new folder each time: with an empty compilation cache, with what that one left there,
and with --no-compilation-cache; then --help. Seconds are of CPU, user and system.
"""

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

TINY = {"steps": 2, "batch_matched": 8, "batch_unmatched": 8, "checkpoint_every": 2}
KINDS = {
    "first": "training, nothing compiled before",
    "next": "training, compiled by the first",
    "none": "training, --no-compilation-cache",
    "help": "--help",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    load, seconds = os.getloadavg()[0], {kind: [] for kind in KINDS}
    for _ in range(args.repeats):
        with tempfile.TemporaryDirectory() as name:
            for kind in KINDS:
                seconds[kind].append(cpu_seconds(kind, pathlib.Path(name)))
                print(kind, seconds[kind][-1], flush=True)
            (cache,) = pathlib.Path(name).glob("cache/gentle-clip/compiled-*")
            sizes = [path.stat().st_size for path in cache.glob("*-cache")]
    content = {"machine": machine(), "load": load, "repeats": args.repeats, "seconds": seconds}
    content["cache"] = {"programs": len(sizes), "mib": sum(sizes) / 2**20}
    write_json(args.out / "start.json", content)
    write_text(args.out / "start.md", page(content))


def cpu_seconds(kind: str, folder: pathlib.Path) -> float:
    command = [sys.executable, "-m", "gentle_clip_jax"]
    if kind == "help":
        command += ["--help"]
    else:
        command += ["--no-compilation-cache"] * (kind == "none")
        command += ["train", "--config=icons", f"--workdir={folder / kind}"]
        command += [f"--config.train.{name}={value}" for name, value in TINY.items()]
    ours = ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT", "XDG_CACHE")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def page(content: dict) -> str:
    about, cache = content["machine"], content["cache"]
    lines = [
        "# What a start costs",
        "",
        f"`python benchmarks/start.py` on {about['cpus']} x {about['processor']}, load "
        f"{content['load']:.1f} before, jax {about['jax']}: seconds of CPU, {content['repeats']} "
        "rounds, each with a cache and folders of its own. A training is two steps of the "
        "quickstart with batches of 16: it reads the icons, compiles, steps, validates and saves. "
        f"The first left {cache['programs']} programs of {cache['mib']:.1f} MiB in all.",
        "",
        "| a process | median | smallest | largest |",
        "|---|--:|--:|--:|",
    ]
    for kind, label in KINDS.items():
        found = content["seconds"][kind]
        figures = statistics.median(found), min(found), max(found)
        cells = " | ".join(f"{figure:.{2 if kind == 'help' else 1}f}" for figure in figures)
        lines.append(f"| {label} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
