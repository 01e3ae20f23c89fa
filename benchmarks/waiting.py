"""What a person waits for: CPU seconds of the commands on 1,900 + 1,900 items and 300 pairs.

    python benchmarks/waiting.py [--items 1900] [--pairs 300] [--out docs/results]

Each command runs in a process of its own, twice: cold, with the programs that the commands before
it have compiled, and warm. Prints a table with the load of the machine beside it, and writes
docs/results/waiting.json. Texts are numbered names of emoji, encoded by MiniLM (384 features); x is
a random map of their features to 1,280, and noise. Needs the extras quickstart and texts.
"""

import argparse
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from published import RESULTS, publish

import gentle_clip_jax as gc
from gentle_clip_jax.data.openmoji import emoji_names
from gentle_clip_jax.runs.log import machine

BOTH = "--x=x --y=y --pairs=pairs.csv"
COMMANDS = {
    "align": (6, f"align {BOTH} --out=aligner"),
    "match": (6, "match --aligner=aligner --x=x --y=y --share=0.8 --out=matches"),
    "search --like": (1.2, "search --aligner=aligner --in=x --like=0007"),
    "search by words": (1.8, "search --aligner=aligner --in=x house"),
    "compare --fast": (30, f"compare {BOTH} --fast --workdir=comparison"),
}  # the goal in CPU seconds, warm, and the command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--items", type=int, default=1900, help="of each modality")
    parser.add_argument("--pairs", type=int, default=300, help="that are given")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS, help="folder of the JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make(folder, args.items, args.pairs)
        rows = []
        for label, (goal, command) in COMMANDS.items():
            load = os.getloadavg()[0]
            cold, warm = (measured(folder, command) for _ in range(2))
            rows.append({"command": label, "goal": goal, "load": load, "cold": cold, "warm": warm})
            print(
                f"{label:16} cold {cold['cpu']:6.1f}  warm {warm['cpu']:6.1f} CPU s  "
                f"({warm['wall']:.1f} s)  goal {goal}  load {load:.1f}",
                flush=True,
            )
    content = {"machine": machine(), "items": args.items, "pairs": args.pairs, "rows": rows}
    publish("waiting", {"command": "python benchmarks/waiting.py", **content}, args.out)


def make(folder: pathlib.Path, items: int, pairs: int) -> None:
    """Write x and y, folders of features, and pairs.csv."""
    names = sorted({*emoji_names().values()})
    texts, ids = folder / "texts", [f"{number:04d}" for number in range(items)]
    texts.mkdir()
    for number, id_ in enumerate(ids):
        (texts / f"{id_}.txt").write_text(f"{names[number % len(names)]} {number // len(names)}")
    y = gc.encode(texts, folder / "y", encoder="minilm")
    rng = np.random.default_rng(0)
    x = y.features @ rng.normal(size=(y.features.shape[1], 1280))
    x = x / x.std() + rng.normal(size=x.shape)
    gc.Collection(x.astype(np.float32), y.ids).save(folder / "x")
    given = random.Random(0).sample(ids, pairs)
    (folder / "pairs.csv").write_text("x,y\n" + "".join(f"{id_},{id_}\n" for id_ in given))


def measured(folder: pathlib.Path, command: str) -> dict[str, float]:
    """Return CPU and wall seconds of a command with a cache of compiled programs in the folder."""
    shutil.rmtree(folder / "comparison", ignore_errors=True)  # else it would be gone on with
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    line = [sys.executable, "-m", "gentle_clip_jax", *command.split()]
    subprocess.run(line, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.monotonic() - start}


if __name__ == "__main__":
    main()
