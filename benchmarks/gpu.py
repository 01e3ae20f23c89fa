"""One accelerator, measured: losses, Sinkhorn's algorithm, encoders and a training, in one command.

    python benchmarks/gpu.py [--small]

Writes docs/results/gpu.md and gpu.json; with --small a try on any device, written to runs/gpu. What
a device can do is measured beside it: its matrix products in float32, and how fast it copies.
"""

import argparse
import functools
import json
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import encoders  # noqa: E402
import losses_forms  # noqa: E402
import training  # noqa: E402

from gentle_clip_jax.aligners.closed_form.plan import transported_covariance  # noqa: E402
from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

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
    out = ROOT / "runs" / "gpu" if args.small else ROOT / "docs" / "results"
    content: dict[str, Any] = {
        "command": shlex.join(["python", "benchmarks/gpu.py", *sys.argv[1:]]),
        "machine": machine(),
        "device": jax.devices()[0].device_kind,
    }
    with jax.default_matmul_precision("highest"):  # as the losses have it
        for name, part in (("losses", losses), ("plans", plans), ("encoders", embedded)):
            content[name] = [shown(row) for row in part(sizes)]
    content["training"] = [shown(trained(60 if args.small else 300))]
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "gpu.json", content)
    write_text(out / "gpu.md", page(content))
    print(out / "gpu.md")


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
        x, y = losses_forms.embeddings(n, DIM)
        for case in ("clip", "objective"):
            counts = losses_forms.PRODUCTS.get(case, losses_forms.DISTRIBUTION_PRODUCTS)
            products, strips = losses_forms.floor_step(x, y, counts)
            bare = strips * seconds(products)
            for form in ("ours", "dense") if n <= 4096 else ("ours",):
                taken = seconds(losses_forms.jax_step({"case": case, "form": form}, x, y))
                yield {"loss": case, "form": form, "n": n, "ms": 1e3 * taken, "share": bare / taken}


def plans(sizes: dict[str, tuple[int, ...]]) -> Iterator[dict[str, Any]]:
    """A plan's covariance; an iteration reads the kernel twice, where it is held."""
    copied = jnp.zeros(COPIED // 4, jnp.float32)
    bandwidth = 2 * COPIED / seconds(functools.partial(jax.jit(lambda a: a + 1), copied))
    rng = np.random.default_rng(0)
    for n in sizes["plans"]:
        x, y = (jax.device_put(z) for z in losses_forms.embeddings(n, 128))
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
        command = [sys.executable, "-m", "gentle_clip_jax", "train", "--config=icons"]
        options = f"--workdir={folder}/run", f"--config.train.steps={steps}", "--quiet"
        subprocess.run([*command, *options], cwd=ROOT, check=True)
        lines = map(
            json.loads, pathlib.Path(folder, "run", "metrics.jsonl").read_text().splitlines()
        )
        rates = [one["examples_per_second"] for one in lines if "examples_per_second" in one]
    return {"steps": steps, "a_second": statistics.median(rates[len(rates) // 2 :])}


def table(head: list[str], rows: list[list[str]]) -> str:
    return f"{training.table(head, rows)}\n"


def page(content: dict[str, Any]) -> str:
    return "\n".join(
        [
            "# One accelerator",
            "",
            f"`{content['command']}` on {content['device']} ({content['machine']}). Medians of "
            f"{REPETITIONS} repetitions, float32 products at the highest precision.",
            "",
            f"Losses, value and gradient in both sets of rows, d = {DIM}. *Share*: of the time, "
            "what the bare products take that none can do without, measured beside it.",
            "",
            table(
                ["loss", "form", "n", "ms", "share"],
                [
                    [r["loss"], r["form"], f"{r['n']:,}", f"{r['ms']:.2f}", f"{r['share']:.0%}"]
                    for r in content["losses"]
                ],
            ),
            f"Plans of {ITERATIONS} iterations between n and n rows. *Share*: of the time, what it "
            "takes to read the kernel twice an iteration, as fast as the device copies.",
            "",
            table(
                ["n", "ms", "share"],
                [[f"{r['n']:,}", f"{r['ms']:.2f}", f"{r['share']:.0%}"] for r in content["plans"]],
            ),
            "Frozen encoders, pixels and tokens in, features out:",
            "",
            table(
                ["items", "a second"],
                [[r["items"], f"{r['a_second']:,.0f}"] for r in content["encoders"]],
            ),
            "Training the quickstart's towers, reading and validation included:",
            "",
            table(
                ["steps", "icons a second"],
                [[str(r["steps"]), f"{r['a_second']:,.0f}"] for r in content["training"]],
            ),
        ]
    )


if __name__ == "__main__":
    main()
