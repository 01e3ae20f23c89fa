"""What large sets of unmatched items cost.

    python benchmarks/large_sets.py [--items 20000 100000] [--rows 10000 30000 60000 100000]
        [--only costs made embedded]

Writes docs/results/large_sets.json. Costs: CPU of the steps that grow fastest. Made:
`gentle-clip align` of made-up features of the width of EfficientNet-Lite0's and MiniLM's and 1,000
pairs. Embedded: `gentle-clip embed` of a memory-mapped file. Made and embedded run in processes of
their own. Plans in parts beside one plan were measured at commit bd34294, and what all items of
real sets bring over 4,096 of them at commit c7fb12a; those rows stay.
"""

import argparse
import functools
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from published import RESULTS, ROOT, publish, read
from threadpoolctl import threadpool_limits

from gentle_clip_jax.aligners import load
from gentle_clip_jax.aligners.closed_form.gentle import BANK_BYTES
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.problem import PLAN_ITEMS
from gentle_clip_jax.runs.log import machine

Step = tuple[Callable[..., jax.Array], tuple[jax.Array, ...]]
PAIRS, TESTED, SHARED = 1000, 2000, 48
MANY = 100_000  # items, whose plan is reckoned
WIDTHS = {"x": 1280, "y": 384}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 60_000, 100_000])
    parts = {"costs": costs, "made": made, "embedded": embedded}
    parser.add_argument(
        "--only",
        nargs="*",
        choices=parts,
        default=[*parts],
        help="others stay, as do sizes not named",
    )
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    metadata = {name: [] for name in parts} | read("large_sets", args.out)
    sizes = {"made": ("items", args.items), "embedded": ("rows", args.rows)}
    for name in args.only:
        size, asked = sizes.get(name, ("", ()))
        metadata[name] = [row for row in metadata[name] if size and row[size] not in asked]
        for row in parts[name](args):
            metadata[name].append(row)
            print(row, flush=True)
            publish("large_sets", metadata, args.out)
    asked = []
    for name in ("items", "rows"):
        asked += [f"--{name}", *map(str, getattr(args, name))]
    metadata |= {"command": shlex.join(["python", "benchmarks/large_sets.py", *asked])}
    metadata |= {"machine": machine()}
    publish("large_sets", metadata, args.out)


def costs(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """CPU of a pair of items, in nanoseconds, of each step that meets all pairs of many items."""
    del args
    rng = np.random.default_rng(0)

    def rows(count: int, width: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(count, width)), jnp.float32)

    def plan(count: int, columns: int, iterations: int) -> Step:
        unit = [
            z / jnp.linalg.norm(z, axis=1, keepdims=True)
            for z in (rows(count, 128), rows(columns, 128))
        ]
        given = *unit, rows(count, WIDTHS["x"]), rows(columns, WIDTHS["y"])
        made = functools.partial(transported_covariance, epsilon=0.02, iterations=iterations)
        return made, given

    bank = BANK_BYTES // (4 * WIDTHS["x"])
    near = functools.partial(smooth, weight=0.2)
    neighbours = near, (rows(1024, 1280), rows(bank, 1280))
    for what, pairs, (step, given) in (
        ("a product of 512", 2048**2, (lambda z: z @ z.T, (rows(2048, 512),))),
        (
            "a plan of 4,096 by 4,096, 10 iterations",
            PLAN_ITEMS**2,
            plan(PLAN_ITEMS, PLAN_ITEMS, 10),
        ),
        (f"512 rows of one of {MANY:,}, 2 iterations", 512 * MANY, plan(512, MANY, 2)),
        (f"neighbours among {bank:,} of 1,280 features", 1024 * bank, neighbours),
    ):
        compiled = jax.jit(step).lower(*given).compile()
        seconds = []
        for _ in range(2):  # the first meets memory that was never touched
            begun = time.process_time()
            jax.block_until_ready(compiled(*given))
            seconds.append(time.process_time() - begun)
        yield {"what": what, "pairs": pairs, "ns": 1e9 * min(seconds) / pairs}


def made(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What `gentle-clip align` takes, and what it finds of items that it has not seen."""
    for items in args.items:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_sides(folder, items)
            for planned in (items, PLAN_ITEMS, 0):  # the longest first
                out = folder / f"aligner-{planned}"
                flags = [f"--{name}={folder}/{name}.npy" for name in ("x", "y")]
                flags += [f"--pairs={folder}/pairs.csv", f"--out={out}"]
                flags += [f"--plan-items={planned}"] if planned else []
                flags += [f"--method={'gentle_transport' if planned else 'cca'}"]
                row = {"items": items, "planned": planned} | taken("align", *flags)
                aligner = load(out)
                found = [
                    np.asarray(embed(np.load(folder / f"test_{side}.npy")))
                    for side, embed in (("x", aligner.embed_x), ("y", aligner.embed_y))
                ]
                chosen = aligner.metadata.get("held_out", {}).get("chosen")
                yield row | {"chosen": chosen, "recall": recall(*found)}


def embedded(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What `gentle-clip embed` takes of a memory-mapped file of 512 features a row."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_sides(folder, PAIRS, {"x": 512, "y": 384})
        flags = [f"--{name}={folder}/{name}.npy" for name in ("x", "y")]
        flags += [f"--pairs={folder}/pairs.csv", f"--out={folder}/aligner", "--method=cca"]
        taken("align", *flags)
        drawn = load(folder / "aligner").metadata["smoothed_galleries"]["x"]
        for rows in args.rows:
            file = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, (rows, 512))
            rng = np.random.default_rng(0)
            for start in range(0, rows, 8192):
                part = file[start : start + 8192]
                part[:] = rng.normal(size=part.shape)
            file.flush()
            del file
            flags = [f"--aligner={folder}/aligner", f"--x={folder}/rows.npy"]
            row = {"rows": rows, "drawn": drawn}
            yield row | taken("embed", *flags, f"--out={folder}/embedded")


def taken(*argv: str) -> dict[str, Any]:
    """Seconds on the clock and of all cores, and peak memory, of a command in its own process.

    told: what it said beforehand of time and memory, "" if nothing.
    """
    begun = time.perf_counter()
    command = [sys.executable, "-m", "gentle_clip_jax", *argv]
    both: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, cwd=ROOT, text=True, **both)  # notices are on stderr
    said = process.stdout.read().splitlines() if process.stdout else []
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"gentle-clip {shlex.join(argv)} ended with {status}.")
    row = {"seconds": time.perf_counter() - begun, "cpu": usage.ru_utime + usage.ru_stime}
    told = next((line for line in said if "GiB" in line), "")
    return row | {"peak_gib": usage.ru_maxrss / 2**20, "load": os.getloadavg()[0], "told": told}


def recall(x: np.ndarray, y: np.ndarray) -> list[float]:
    """R@1, 5 and 10 of rows that belong together, the mean of both ways."""
    cosines = x @ y.T
    own = np.diag(cosines)
    before = [(cosines > own[:, None]).sum(axis=1), (cosines > own[None, :]).sum(axis=0)]
    return [float(np.mean([(ranks < top).mean() for ranks in before])) for top in (1, 5, 10)]


class World:
    """Points around 500 centres, seen from two sides, each of which has some of its own."""

    def __init__(self, widths: dict[str, int]):
        rng = np.random.default_rng(7)
        self.spread = 1 / np.sqrt(1 + np.arange(SHARED) / 6)
        self.centres = self.spread * rng.normal(size=(500, SHARED))
        self.views = {
            side: [rng.normal(size=(SHARED, width)) for _ in range(2)]
            for side, width in widths.items()
        }

    def latent(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """What both sides have of so many items."""
        around = self.spread * rng.normal(size=(count, SHARED)) / 2
        return self.centres[rng.integers(len(self.centres), size=count)] + around

    def view(self, rng: np.random.Generator, side: str, latent: np.ndarray) -> np.ndarray:
        """What a side shows of items: a curved view of them, what is its own, and noise."""
        shared, own = self.views[side]
        rows = 3 * np.tanh(latent @ shared / 3) + rng.normal(size=latent.shape) @ own / 4
        return np.float32(rows + rng.normal(size=rows.shape))


def write_sides(folder: pathlib.Path, items: int, widths: dict[str, int] = WIDTHS) -> None:
    """Both sides of 1,000 pairs and of the unmatched, in two orders; and of 2,000 items to test."""
    world, rng = World(widths), np.random.default_rng(0)
    known, rest, test = (world.latent(rng, count) for count in (PAIRS, items, TESTED))
    for side in widths:
        np.save(folder / f"test_{side}.npy", world.view(rng, side, test))
        latent = np.concatenate([known, rest[rng.permutation(items)]])
        shape = len(latent), widths[side]
        rows = np.lib.format.open_memmap(folder / f"{side}.npy", "w+", np.float32, shape)
        for start in range(0, len(rows), 4096):
            rows[start : start + 4096] = world.view(rng, side, latent[start : start + 4096])
        rows.flush()
    (folder / "pairs.csv").write_text("".join(f"{n},{n}\n" for n in range(PAIRS)))


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()
