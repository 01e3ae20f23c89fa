"""Loss engine measured: time and memory of value and gradient against the products it needs.

    python benchmarks/losses.py [--quick] [--seconds 200] [--only REGEX] [--out docs/results]

Every row is a process of its own, and is kept in a cache (.cache/losses.jsonl), so the command can
be stopped and run again: it goes on with what is missing, and always writes losses.json from what
there is. Rows of rivals (plain jnp, optax, PyTorch) were measured at commit bd34294; they stay.
"""

import argparse
import functools
import importlib.metadata
import itertools
import json
import math
import pathlib
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy
from published import RESULTS, ROOT, publish, read

from gentle_clip_jax.runs.log import processor

FORMS = {"ours": None, "dense": 0}  # block_size
CASES = ("clip", "sigmoid", "nt_xent", "mmd", "sdd", "objective")
SIZES = (256, 1024, 4096, 16384, 65536)
TAU, BIAS, BANDWIDTH, RUNGS = 0.05, -10.0, 0.5, 5
# The n x n x d products no form can avoid: x y^T forward, G y and G^T x backward. Within one set
# the forward product is symmetric, and half of it is enough; the backward one is not halved.
PRODUCTS = {"clip": (1, 1, 1), "sigmoid": (1, 1, 1), "nt_xent": (2, 4, 0)}
DISTRIBUTION_PRODUCTS = (2, 3, 1)


def rows(quick: bool) -> list[dict]:
    """What to measure: the published grid, dense forms as far as 24 GiB and patience carry."""
    sizes = (256, 1024) if quick else SIZES
    grid = []
    for n, case, form in itertools.product(sizes, CASES, FORMS):
        if form != "ours" and n > 4096:
            continue
        if n > 16384 and case not in ("clip", "objective"):
            continue
        grid.append({"case": case, "form": form, "n": n, "d": 256 if n > 16384 else 512})
    if not quick:
        shapes = ((1024, 256), (1024, 1024), (4096, 256), (4096, 1024), (16384, 256))
        others = itertools.product(shapes, ("clip", "objective"))
        grid += [{"case": case, "form": "ours", "n": n, "d": d} for (n, d), case in others]
        grid += [{"case": case, "form": "ours", "n": 4096, "d": 256} for case in CASES[2:5]]
    grid += [{"case": "sharded", "form": "ours", "n": 4096, "d": 256, "k": k} for k in (1, 2, 4, 8)]
    return grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="n up to 1024")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no row after")
    parser.add_argument("--only", default="", help="rows whose JSON matches")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / ".cache" / "losses.jsonl")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(args.row)))
        return
    args.cache.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in args.cache.open()] if args.cache.exists() else []
    known = [row["row"] for row in done]
    start = time.monotonic()
    for row in rows(args.quick):
        if row in known or not re.search(args.only, json.dumps(row)):
            continue
        if time.monotonic() - start > args.seconds:
            break
        print(json.dumps(row), flush=True)
        command = [sys.executable, __file__, "--row", json.dumps(row)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        result = json.loads(run.stdout) if run.returncode == 0 else {"failed": run.returncode}
        done.append({"row": row} | result)
        with args.cache.open("a") as cache:
            cache.write(json.dumps(done[-1]) + "\n")
    done = [one for one in done if "failed" not in one]
    kept = read("losses", args.out)
    others = [one for one in kept.get("rows", []) if one["row"] not in [new["row"] for new in done]]
    publish("losses", {"machine": processor(), "rows": others + done}, args.out)


def measure(row: dict) -> dict:
    """Measures one row of the table."""
    if row["case"] == "sharded":
        return sharded(row)
    x, y = embeddings(row["n"], row["d"])
    step = jax_step(row, x, y)
    peak = peak_above_now(step)
    floor, strips = floor_step(x, y, PRODUCTS.get(row["case"], DISTRIBUTION_PRODUCTS))
    floor()
    ours, bare, start = [], [], time.monotonic()
    while len(ours) < 15 and (not ours or time.monotonic() - start < 20):
        bare.append(seconds(floor))
        ours.append(seconds(step))
    times = {"ms": 1e3 * min(ours), "floor_ms": 1e3 * strips * min(bare), "repetitions": len(ours)}
    return times | {"peak_mib": peak, "versions": versions()}


def seconds(step: Callable[[], Any]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_above_now(step: Callable[[], Any]) -> float:
    """Runs a step; the most memory it held above what the process held before, in MiB."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = _status("VmRSS")
    step()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    return int(re.search(rf"{key}:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])


def versions() -> str:
    names = ("jax", "numpy")
    found = " ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()} {found}"


def embeddings(n: int, d: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    rng = numpy.random.default_rng(0)
    x, y = (shift + rng.standard_normal((n, d), dtype="float32") for shift in (0.0, 0.3))
    return tuple(z / numpy.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))


def floor_step(x, y, counts: tuple[int, int, int]) -> tuple[Callable[[], None], int]:
    """The bare products on a strip of rows of at most 2^24 pairs, and how many strips there are."""
    n = x.shape[0]
    strip = min(n, 2**24 // n)
    x, y = jax.device_put(x), jax.device_put(y)
    products = [
        jax.jit(f) for f in (lambda a, b: a @ b.T, lambda g, b: g @ b, lambda g, a: g.T @ a)
    ]
    g = products[0](x[:strip], y)
    arguments = ((x[:strip], y), (g, y), (g, x[:strip]))

    def step() -> None:
        for product, count, pair in zip(products, counts, arguments):
            for _ in range(count):
                jax.block_until_ready(product(*pair))

    return step, n // strip


def jax_step(row: dict, x, y) -> Callable[[], Any]:
    loss = functools.partial(ours, row["case"], FORMS[row["form"]])
    x, y = jax.device_put(x), jax.device_put(y)
    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(x, y).compile()
    return lambda: jax.block_until_ready(step(x, y))


def ours(case: str, block_size: int | None, x, y):
    from gentle_clip_jax import losses

    size = {"block_size": block_size}
    return {
        "clip": lambda: losses.clip_loss(x, y, temperature=TAU, **size),
        "sigmoid": lambda: losses.sigmoid_loss(x, y, temperature=TAU, bias=BIAS, **size),
        "nt_xent": lambda: losses.nt_xent_loss(x, y, temperature=TAU, **size),
        "mmd": lambda: losses.multi_kernel_mmd(x, y, **size),
        "sdd": lambda: losses.semantic_density_loss(x, y, bandwidth=BANDWIDTH, **size),
        "objective": lambda: losses.gentle_clip_loss(
            x, y, num_matched=len(x), temperature=TAU, **size
        )[0],
    }[case]()


def sharded(row: dict) -> dict:
    """Temporary memory of one of k devices, and bytes it sends, from the compiled program."""
    from jax.sharding import AxisType, NamedSharding, PartitionSpec

    jax.config.update("jax_num_cpu_devices", row["k"])
    mesh = jax.make_mesh((row["k"],), ("data",), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    x, y = (jax.device_put(z, rows) for z in embeddings(row["n"], row["d"]))
    loss = functools.partial(ours, "objective", 512)
    program = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(x, y).compile()
    memory = program.memory_analysis().temp_size_in_bytes / 2**20
    sent = sent_bytes(program.as_text(), row["k"]) / 2**20
    return {"memory_mib": memory, "sent_mib": sent, "versions": versions()}


def sent_bytes(text: str, devices: int) -> float:
    """Bytes that one device sends in a compiled program's collectives, loops run through."""
    blocks = re.split(r"\n(?=(?:ENTRY )?%\S+ \()", text)
    # The text begins with what the module is called.
    bodies = {found[1]: b for b in blocks if (found := re.match(r"(?:ENTRY )?%(\S+) \(", b))}
    entry = next(name for name, block in bodies.items() if block.startswith("ENTRY"))
    part = (devices - 1) / devices
    share = {"collective-permute": 1, "all-gather": part, "all-reduce": 2 * part}
    share |= {"reduce-scatter": part * devices, "all-to-all": part}
    width = {"pred": 1, "s32": 4, "f32": 4, "u32": 4}

    def of(name: str) -> float:
        total = 0.0
        for line in bodies[name].splitlines():
            kind = re.search(r" (%s)(?:-start)?\(" % "|".join(share), line)  # noqa: UP031
            if kind:
                for dtype, dims in re.findall(r"(\w+)\[([\d,]*)\]", line.split(kind[0])[0]):
                    count = math.prod(int(n) for n in dims.split(",") if n)
                    total += share[kind[1]] * width[dtype] * count
            trips = re.search(r'known_trip_count":\{"n":"(\d+)"', line)
            for called in re.findall(r"(?:body|to_apply|calls)=%([\w.\-]+)", line):
                total += (int(trips[1]) if trips else 1) * of(called)
        return total

    return of(entry)


if __name__ == "__main__":
    main()
