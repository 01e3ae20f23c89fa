"""How long a query takes, once the search is open: all rows compared, and by either index.

    python benchmarks/search.py [--items 10000 100000 1000000] [--queries 200]
                                [--engines exact lance]

Writes docs/results/search.json. An aligner is fitted to made-up features of 128
dimensions and to MiniLM's of texts; the items lie around 1,000 centres. Words go through MiniLM.
Every row of the tables is measured in a process of its own.
"""

import argparse
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from published import RESULTS, publish

from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.features.encode import encode
from gentle_clip_jax.features.read import read
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.searching import index_gallery, open_gallery
from gentle_clip_jax.searching.index import ENGINES, index_of
from gentle_clip_jax.storage.reading import read_arrays
from gentle_clip_jax.training.loading import open_aligner

WORDS = ("boats", "lakes", "roads", "farms", "ships", "parks", "rails", "ports", "mines", "ponds")
DIM, CENTRES, PAIRS, ASKED = 128, 1000, 400, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=[*ENGINES])
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        step, folder = args.row
        print(json.dumps(STEPS[step](pathlib.Path(folder), args.queries)))
        return
    steps = [step for step in STEPS if step.partition("_")[0] in ("all", *args.engines)]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        drawn = fit(folder)
        for number in args.items:
            write_items(folder / "items.npy", number)
            rows.append({"items": number, "load": [os.getloadavg()[0]]})
            for step in steps:
                rows[-1][step] = in_a_process(step, folder, args.queries)
                print(number, step, rows[-1][step], flush=True)
            rows[-1]["load"].append(os.getloadavg()[0])
    content = {"machine": machine(), "queries": args.queries, "drawn": drawn, "rows": rows}
    publish("search", content, args.out)


def fit(folder: pathlib.Path) -> bool:
    """Writes an aligner of pairs of made-up rows and texts; whether it draws the rows."""
    texts = folder / "texts.txt"
    texts.write_text("".join(f"{WORDS[n % len(WORDS)]} number {n}\n" for n in range(PAIRS)))
    encode(texts, folder / "y", encoder="minilm")
    y = read(folder / "y").features
    rng = np.random.default_rng(0)
    x = y @ rng.normal(size=(y.shape[1], DIM)) / 4 + rng.normal(size=(len(y), DIM)) / 2
    np.savez(folder / "x.npz", features=np.float32(x), ids=[str(n) for n in range(PAIRS)])
    aligner = align(folder / "x.npz", folder / "y", out=folder / "aligner", method="cca")
    return bool(aligner.metadata.get("smoothed_galleries", {}).get("x"))


def write_items(path: pathlib.Path, number: int) -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(CENTRES, DIM)).astype(np.float32)
    items = np.lib.format.open_memmap(path, "w+", np.float32, (number, DIM))
    for start in range(0, number, 65536):
        part = items[start : start + 65536]
        part[:] = centres[rng.integers(CENTRES, size=len(part))]
        part += rng.normal(size=part.shape).astype(np.float32) / 2


def in_a_process(step: str, folder: pathlib.Path, queries: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--queries", str(queries), "--row", step, str(folder)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def without_index(folder: pathlib.Path, queries: int) -> dict[str, float]:
    shutil.rmtree(index_of(folder / "items.npy"), ignore_errors=True)
    measured, found = searched(folder, queries)
    np.savez(folder / "all.npz", **found)
    return measured


def build(engine: str, folder: pathlib.Path, _: int) -> dict[str, float]:
    begun = time.perf_counter()
    aligner = open_aligner(folder / "aligner")
    index = index_gallery(aligner, folder / "items.npy", side="x", engine=engine)
    seconds = time.perf_counter() - begun
    files = (path for path in index.rglob("*") if path.is_file())
    disk = sum(path.stat().st_size for path in files) / 2**20
    return {"seconds": seconds, "disk_mib": disk, **memory()}


def indexed(folder: pathlib.Path, queries: int) -> dict[str, float]:
    measured, found = searched(folder, queries)
    known = read_arrays(folder / "all.npz")
    for name, rows in found.items():
        same = [len({*one} & {*other}) for one, other in zip(rows.tolist(), known[name])]
        measured[f"recall_{name}"] = sum(same) / rows.size
    return measured


STEPS = {"all": without_index}
for name in ENGINES:
    STEPS |= {f"{name}_build": functools.partial(build, name), name: indexed}


def searched(folder: pathlib.Path, queries: int) -> tuple[dict[str, float], dict]:
    """Times of queries by words, and the 10 rows that are nearest to words and to items."""
    begun = time.perf_counter()
    search = open_gallery(open_aligner(folder / "aligner"), folder / "items.npy", side="x")
    search.words("warm up")  # loads the encoder; the first one embeds where all are compared
    opened = time.perf_counter() - begun
    times = []
    for query in range(queries):
        begun = time.perf_counter()
        search.words(f"{WORDS[query % len(WORDS)]} number {query}", 20)
        times.append(1000 * (time.perf_counter() - begun))
    texts = search.opened.embed("y", np.asarray(read(folder / "y").features)[:ASKED])
    step = len(search.gallery.ids) // ASKED
    items = search.opened.embed("x", np.asarray(search.gallery.features[::step][:ASKED]))
    found = {
        name: np.concatenate([search._nearest(side, row[None], 10)[0] for row in rows])
        for name, side, rows in (("words", "y", texts), ("items", "x", items))
    }
    shares = {"median_ms": 0.5, "p95_ms": 0.95, "most_ms": 1}
    times = {name: float(np.quantile(times, share)) for name, share in shares.items()}
    return {"open_s": opened, **times, **memory()}, found


def memory() -> dict[str, float]:
    """The most that was resident, and what is now without files that are mapped."""
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    kib = {line.partition(":")[0]: line.split()[1] for line in status if line.endswith(" kB")}
    return {"peak_mib": int(kib["VmHWM"]) / 1024, "own_mib": int(kib["RssAnon"]) / 1024}


if __name__ == "__main__":
    main()
