"""One accelerator, measured: losses, Sinkhorn's algorithm, encoders and a training, in one command.

    python benchmarks/gpu.py [--small]

Writes docs/results/gpu.json; with --small a try on any device, written to runs/gpu. What
a device can do is measured beside it: its matrix products in float32, and how fast it copies.
"""

import argparse
import functools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import encoders
import jax
import jax.numpy as jnp
import numpy as np
from losses import DISTRIBUTION_PRODUCTS, PRODUCTS, embeddings, floor_step, jax_step
from published import RESULTS, ROOT, command, publish

from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.runs.log import machine

REPETITIONS = 10
SIZES = {"losses": (4096, 16384, 65536), "plans": (4096, 16384), "batches": (64, 256)}
SMALL = {"losses": (256,), "plans": (256,), "batches": (2,)}
DIM, FEATURES, ITERATIONS = 512, 384, 50
COPIED = 2**28  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--small", action="store_true", help="a try, on any device")
    args = parser.parse_args()
    if jax.default_backend() == "cpu" and not args.small:
        sys.exit("JAX sees no accelerator here: install jax for it, or try it out with --small.")
    sizes = SMALL if args.small else SIZES
    out = ROOT / "runs" / "gpu" if args.small else RESULTS
    content: dict[str, Any] = {
        "command": command("gpu"),
        "machine": machine(),
        "device": jax.devices()[0].device_kind,
    }
    with jax.default_matmul_precision("highest"):  # as the losses have it
        for name, part in (("losses", losses), ("plans", plans), ("encoders", embedded)):
            content[name] = [shown(row) for row in part(sizes)]
    content["training"] = [shown(trained(60 if args.small else 300))]
    publish("gpu", content, out)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(row), flush=True)
    return row


def seconds(step: Callable[[], Any]) -> float:
    """The median of repetitions, after one that compiles."""
    jax.block_until_ready(step())
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        jax.block_until_ready(step())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def losses(sizes: dict[str, tuple[int, ...]]) -> Iterator[dict[str, Any]]:
    """Value and gradient beside the bare products that none can do without."""
    for n in sizes["losses"]:
        x, y = embeddings(n, DIM)
        for case in ("clip", "objective"):
            counts = PRODUCTS.get(case, DISTRIBUTION_PRODUCTS)
            products, strips = floor_step(x, y, counts)
            bare = strips * seconds(products)
            for form in ("ours", "dense") if n <= 4096 else ("ours",):
                taken = seconds(jax_step({"case": case, "form": form}, x, y))
                yield {"loss": case, "form": form, "n": n, "ms": 1e3 * taken, "share": bare / taken}


def plans(sizes: dict[str, tuple[int, ...]]) -> Iterator[dict[str, Any]]:
    """A plan's covariance; an iteration reads the kernel twice, where it is held."""
    copied = jnp.zeros(COPIED // 4, jnp.float32)
    bandwidth = 2 * COPIED / seconds(functools.partial(jax.jit(lambda a: a + 1), copied))
    rng = np.random.default_rng(0)
    for n in sizes["plans"]:
        x, y = (jax.device_put(z) for z in embeddings(n, 128))
        features = [jnp.asarray(rng.normal(size=(n, FEATURES)), jnp.float32) for _ in range(2)]
        plan = jax.jit(
            functools.partial(transported_covariance, epsilon=0.02, iterations=ITERATIONS)
        )
        taken = seconds(functools.partial(plan, x, y, *features))
        read = 2 * ITERATIONS * 4 * n * n / bandwidth
        yield {"n": n, "ms": 1e3 * taken, "share": read / taken}


def embedded(sizes: dict[str, tuple[int, ...]]) -> Iterator[dict[str, Any]]:
    """Items a second of the encoders that the project ships."""
    made = {f"images, {n} at once": encoders.our_images(n) for n in sizes["batches"]}
    made["captions of 32 tokens, 64 at once"] = encoders.our_captions(32)
    for what, (run, items) in made.items():
        yield {"items": what, "a_second": items / seconds(run)}


def trained(steps: int) -> dict[str, Any]:
    """Icons a second, of the second half of a training of the quickstart's towers."""
    with tempfile.TemporaryDirectory() as folder:
        own = [sys.executable, "-m", "gentle_clip_jax", "train", "--config=icons"]
        options = f"--workdir={folder}/run", f"--config.train.steps={steps}", "--quiet"
        subprocess.run([*own, *options], cwd=ROOT, check=True)
        lines = map(
            json.loads, pathlib.Path(folder, "run", "metrics.jsonl").read_text().splitlines()
        )
        rates = [one["examples_per_second"] for one in lines if "examples_per_second" in one]
    return {"steps": steps, "a_second": statistics.median(rates[len(rates) // 2 :])}


if __name__ == "__main__":
    main()
