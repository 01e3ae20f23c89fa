"""What checkpoints cost: manifests in a step's time, a large state, and a busy machine.

python benchmarks/checkpoints.py [--results=DIR] [--megabytes=200]
"""

import argparse
import contextlib
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
import numpy as np
import orbax.checkpoint as ocp

from gentle_clip_jax.config import load_config
from gentle_clip_jax.data.batches import Dataset, Pairs
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.tasks import task_of
from gentle_clip_jax.tasks.icons.data import Words
from gentle_clip_jax.training import batching, manifest
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.loop import next_state, on_devices
from gentle_clip_jax.training.step import recipe
from gentle_clip_jax.training.train_state import init_state

ROOT = pathlib.Path(__file__).resolve().parents[1]
REPEATS = 5
BUSY = 20  # processes that do nothing but take a core's time


def seconds(function: Callable[[], Any], repeats: int = REPEATS) -> list[float]:
    """How long each of several calls takes."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return found


def large_state(megabytes: int) -> dict[str, jax.Array]:
    """A state of matrices of 4 MB each."""
    shape = (1024, 1024)
    keys = jax.random.split(jax.random.key(0), megabytes // 4)
    return {f"matrix_{k}": jax.random.normal(key, shape) for k, key in enumerate(keys)}


def of_large_state(megabytes: int) -> dict[str, float]:
    """Seconds to save a state, to restore it and, of both, those that the manifest takes."""
    state = large_state(megabytes)
    jax.block_until_ready(state)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)

        def save() -> None:
            with Checkpoints(path) as checkpoints:
                checkpoints.save(1, state, None)

        def restore() -> None:
            with Checkpoints(path, read_only=True) as checkpoints:
                jax.block_until_ready(checkpoints.restore(state))

        return {
            "megabytes": megabytes,
            "save": seconds(save, 1)[0],
            "restore": statistics.median(seconds(restore)),
            "manifest": statistics.median(seconds(lambda: manifest.manifest(state))),
        }


@contextlib.contextmanager
def busy(number: int) -> Iterator[None]:
    """Starts processes that keep the machine busy, and ends them."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def of_busy_machine(state: Any, repeats: int = 3) -> dict[str, float]:
    """Seconds until a state is on disk beside busy processes: a save, and what Orbax takes alone.

    The two take turns, each into a folder of its own.
    """

    def save(path: pathlib.Path) -> None:
        with Checkpoints(path) as checkpoints:
            checkpoints.save(1, state, 0.5)

    def write(path: pathlib.Path) -> None:
        with ocp.CheckpointManager(path) as manager:
            manager.save(1, args=ocp.args.StandardSave(state))

    found: dict[str, list[float]] = {"save": [], "orbax": [], "manifest": []}
    with busy(BUSY):
        for _ in range(repeats):
            for name, function in (("save", save), ("orbax", write)):
                with tempfile.TemporaryDirectory() as folder:
                    path = pathlib.Path(folder) / "checkpoints"
                    found[name] += seconds(functools.partial(function, path), 1)
            found["manifest"] += seconds(functools.partial(manifest.manifest, state), 1)
    about = {"processes": BUSY, "repeats": repeats, "arrays": len(jax.tree.leaves(state))}
    return about | {name: statistics.median(times) for name, times in found.items()}


def icons_task(config: Any) -> Dataset:
    """Data of the shapes that the icons have, without rendering them."""
    rng, size, length = np.random.default_rng(0), config.data.size, config.data.max_tokens

    def items(num: int) -> Pairs:
        images = rng.integers(256, size=(num, size, size)).astype(np.uint8)
        tokens = rng.integers(1, config.data.vocab_size, (num, length)).astype(np.int32)
        return Pairs(images, tokens, np.array([str(k) for k in range(num)]))

    whole, words = items(512), Words([], lambda texts: np.zeros(0), config.data.vocab_size)
    return Dataset(whole, whole.x, whole.y, items(8), items(8), words)


def of_training() -> tuple[dict[str, float], Any]:
    """Seconds of a step of configs/icons.py, and of the manifest of its state; and the state."""
    config = load_config(ROOT / "configs" / "icons.py")
    dataset = icons_task(config)
    task, batch_at = task_of(config), batching.batch_at(config, dataset)
    model = task.build_model(config, dataset)
    advance = next_state(recipe(config, task, model))
    state = on_devices(config, init_state(config, task, dataset, model))
    state, _ = advance(state, batch_at(0))
    times = []
    for step in range(1, 12):
        start = time.perf_counter()
        state, metrics = advance(state, batch_at(step))
        jax.block_until_ready((state, metrics))
        times.append(time.perf_counter() - start)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    found = {
        "megabytes": size / 1e6,
        "step": statistics.median(times),
        "manifest": statistics.median(seconds(lambda: manifest.manifest(state))),
        "every": config.train.checkpoint_every,
    }
    return found, state


def page(found: dict[str, Any]) -> str:
    """docs/results/checkpoints.md"""
    large, own, about = found["large"], found["icons"], found["machine"]
    beside = found["busy"]
    share = own["manifest"] / (own["every"] * own["step"])
    versions = ", ".join(f"{name} {about[name]}" for name in ("python", "jax", "orbax-checkpoint"))
    return f"""# What checkpoints cost

`{found["command"]}` on {about["cpus"]} x {about["processor"]} ({about["device"]}), with {versions};
medians of {REPEATS}, the page cache warm.

| | seconds |
| --- | ---: |
| save a state of {large["megabytes"]} MB, until it is on disk | {large["save"]:.2f} |
| restore and verify it | {large["restore"]:.2f} |
| its manifest (SHA-256 of every array), in both | {large["manifest"]:.2f} |
| a step of configs/icons.py | {own["step"]:.3f} |
| the manifest of its state of {own["megabytes"]:.1f} MB | {own["manifest"]:.3f} |

A manifest is made every {own["every"]} steps: {100 * share:.3f} % of the steps' time.

Beside {beside["processes"]} processes that keep all cores busy, medians of {beside["repeats"]} that
take turns, for the {beside["arrays"]} arrays of the state of configs/icons.py:

| | seconds |
| --- | ---: |
| save it, until it is on disk | {beside["save"]:.1f} |
| what Orbax takes for the same arrays, alone | {beside["orbax"]:.1f} |
| its manifest, which the save has in it | {beside["manifest"]:.1f} |

A save takes {beside["save"] / beside["orbax"]:.1f} times Orbax's own write.
"""


def main() -> None:
    """Measures and writes docs/results/checkpoints.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--megabytes", type=int, default=200)
    args = parser.parse_args()
    with jax.numpy_dtype_promotion("standard"):
        icons, state = of_training()
        found = {
            "icons": icons,
            "large": of_large_state(args.megabytes),
            "busy": of_busy_machine(state),
        }
    found |= {
        "machine": machine(),
        "command": shlex.join(["python", "benchmarks/checkpoints.py", *sys.argv[1:]]),
    }
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / "checkpoints.json").write_text(json.dumps(found, indent=2) + "\n")
    (args.results / "checkpoints.md").write_text(page(found))
    print(page(found))


if __name__ == "__main__":
    main()
