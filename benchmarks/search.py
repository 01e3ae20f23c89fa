"""How long a query takes, once the search is open.

    python benchmarks/search.py [--items 10000 100000] [--queries 20]

Writes docs/results/search.md and search.json. An aligner is fitted to made-up features of the
width of EfficientNet-Lite0 and to MiniLM's; words go through MiniLM, cosines are of all items.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.aligning import align_files  # noqa: E402
from gentle_clip_jax.features.encode import encode  # noqa: E402
from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402
from gentle_clip_jax.searching.search import open_gallery  # noqa: E402

WORDS = ("boats", "lakes", "roads", "farms", "ships", "parks", "rails", "ports", "mines", "ponds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        texts = pathlib.Path(folder) / "texts.txt"
        texts.write_text("".join(f"{WORDS[n % len(WORDS)]} number {n}\n" for n in range(200)))
        encode(texts, f"{folder}/y", encoder="minilm")
        x = rng.normal(size=(200, 1280)).astype(np.float32)
        np.savez(f"{folder}/x.npz", features=x, ids=[str(n) for n in range(200)])
        align_files(f"{folder}/x.npz", f"{folder}/y", None, f"{folder}/aligner", method="cca")
        for number in args.items:
            items = f"{folder}/items.npy"
            np.save(items, rng.normal(size=(number, 1280)).astype(np.float32))
            begun = time.perf_counter()
            search = open_gallery(f"{folder}/aligner", items)
            opened = time.perf_counter() - begun
            search.words("warm up")
            times = []
            for query in range(args.queries):
                begun = time.perf_counter()
                search.words(f"{WORDS[query % len(WORDS)]} number {query}", 20)
                times.append(1000 * (time.perf_counter() - begun))
            median, worst = statistics.median(times), max(times)
            rows.append({"items": number, "open_s": opened, "median_ms": median, "most_ms": worst})
            print(rows[-1], flush=True)
    write_json(args.out / "search.json", {"machine": machine(), "rows": rows})
    write_text(args.out / "search.md", page(rows, args.queries))


def page(rows: list[dict], queries: int) -> str:
    about = machine()
    lines = [
        "# How long a query takes",
        "",
        f"`python benchmarks/search.py` on {about['cpus']} x {about['processor']}: {queries} "
        "queries by words, of which MiniLM makes features and the aligner a row of 128 numbers, "
        "which is compared with every item's; the best 20. Opening reads the features and embeds "
        "them once; `gentle-clip embed` spares that.",
        "",
        "| items | opening, s | a query, median ms | slowest ms |",
        "|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['items']:,} | {row['open_s']:.1f} | {row['median_ms']:.0f} "
        f"| {row['most_ms']:.0f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
