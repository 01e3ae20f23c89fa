"""The icon towers at batch 256 and 4096: whole, and in microbatches (GradCache).

    python benchmarks/gradcache.py [--batch 4096] [--microbatches 16] [--out docs/results]

Every case is a process of its own that runs the train step of configs/icons.py on random items,
half of them pairs. Memory is told in two ways: what XLA plans for the step (its temporary
buffers), and by how much the process grew while it ran (Linux: VmHWM, reset after compilation,
less VmRSS before the first step). Writes gradcache.md and gradcache.json.
"""

import argparse
import functools
import json
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
VOCAB_SIZE = 1500
OBJECTIVES = {
    "Gentle-CLIP, all four terms": {},
    "CLIP alone": {"loss.mmd_weight": 0.0, "loss.sdd_weight": 0.0, "loss.ssl_weight": 0.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--small", type=int, default=256, help="the batch whose memory is the goal")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--microbatches", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10, help="of timed steps, at least three")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--case", nargs=3, metavar=("OBJECTIVE", "BATCH", "MICROBATCHES"))
    args = parser.parse_args()
    if args.case:
        name, batch, microbatches = args.case
        print(json.dumps(measure(OBJECTIVES[name], int(batch), int(microbatches), args.seconds)))
        return
    from gentle_clip_jax.runs.log import machine  # a case has a process that loads what it needs

    rows = []
    for name in OBJECTIVES:
        for batch, parts in ((args.small, 1), (args.batch, 1), (args.batch, args.microbatches)):
            rows.append({"objective": name, "batch": batch, "microbatches": parts})
            rows[-1] |= run_case(name, batch, parts, args.seconds)
            print(rows[-1], flush=True)
    command = shlex.join(["python", "benchmarks/gradcache.py", *sys.argv[1:]])
    content = {"machine": machine(), "command": command, "rows": rows}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "gradcache.json").write_text(json.dumps(content, indent=2) + "\n")
    (args.out / "gradcache.md").write_text(page(content))


def run_case(name: str, batch: int, microbatches: int, budget: float) -> dict:
    """Measures a case in a process of its own; {"failed": exit code} if it does not fit."""
    case = [name, str(batch), str(microbatches)]
    process = subprocess.run(
        [sys.executable, __file__, "--case", *case, "--seconds", str(budget)],
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.returncode:
        return {"failed": process.returncode}
    return json.loads(process.stdout.splitlines()[-1])


def measure(overrides: dict, batch: int, microbatches: int, budget: float) -> dict:
    """Planned and measured memory and the median time of a train step."""
    import jax

    from gentle_clip_jax.config import load_config
    from gentle_clip_jax.tasks import task_of
    from gentle_clip_jax.training.step import recipe, train_step
    from gentle_clip_jax.training.train_state import init_state

    config = load_config(ROOT / "configs" / "icons.py")
    config.update_from_flattened_dict(overrides | {"train.microbatches": microbatches})
    dataset = random_items(batch, config.data.size, config.data.max_tokens)
    items = {"x": dataset.matched.x, "y": dataset.matched.y}
    halves = {"matched": slice(batch // 2), "unmatched": slice(batch // 2, None)}
    rows = {part: {k: v[half] for k, v in items.items()} for part, half in halves.items()}
    task = task_of(config)
    model = task.build_model(config, dataset)
    state, rows = init_state(config, task, dataset, model), jax.device_put(rows)
    step = functools.partial(train_step, recipe=recipe(config, task, model))
    compiled = jax.jit(step, donate_argnums=0).lower(state, rows).compile()
    # Starts a new high-water mark, so that compilation does not count.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    seconds = []
    while len(seconds) < 4 or sum(seconds[1:]) < budget:  # the first is not counted
        start = time.perf_counter()
        state, metrics = jax.block_until_ready(compiled(state, rows))
        seconds.append(time.perf_counter() - start)
    return {
        "planned_mib": compiled.memory_analysis().temp_size_in_bytes / 2**20,
        "measured_mib": (resident("VmHWM") - before) / 2**20,
        "seconds": statistics.median(seconds[1:]),
        "loss": float(metrics["loss/total"]),
    }


def random_items(num_items: int, size: int, max_tokens: int):
    """A dataset of noise: what the towers cost does not depend on what they see."""
    import numpy as np

    from gentle_clip_jax.data.batches import Dataset, Pairs
    from gentle_clip_jax.tasks.icons.data import Words

    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(num_items, size, size)).astype(np.uint8)
    tokens = rng.integers(2, VOCAB_SIZE, (num_items, max_tokens)).astype(np.int32)
    pairs = Pairs(images, tokens, np.arange(num_items).astype(str))
    about = Words([], lambda texts: tokens, VOCAB_SIZE)
    return Dataset(pairs, images, tokens, pairs, pairs, about)


def resident(name: str) -> int:
    """A figure of /proc/self/status in bytes."""
    text = pathlib.Path("/proc/self/status").read_text()
    match = re.search(rf"{name}:\s+(\d+) kB", text)
    assert match, name
    return 1024 * int(match[1])


def page(content: dict) -> str:
    """The figures as Markdown."""
    where = ", ".join(f"{key} {value}" for key, value in content["machine"].items())
    lines = [
        "# Large batches through the icon towers",
        "",
        f"`{content['command']}` ({where}).",
        "",
        "One train step of configs/icons.py on random items, half of them pairs; every line is a "
        "process of its own. Planned: the temporary buffers of XLA's plan for the step. Measured: "
        "how much the process grew while it ran. The time is the median of the steps after the "
        "first; per item it is compared with the small batch.",
        "",
        "| objective | batch | microbatches | planned, MiB | measured, MiB | step, s "
        "| memory to small batch | time per item to small batch |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    small = {}
    for row in content["rows"]:
        name = f"| {row['objective']} | {row['batch']} | {row['microbatches']} |"
        if "failed" in row:
            lines.append(f"{name} does not fit (exit code {row['failed']}) | | | | |")
            continue
        base = small.setdefault(row["objective"], row)
        memory = row["measured_mib"] / base["measured_mib"]
        per_item = (row["seconds"] / row["batch"]) / (base["seconds"] / base["batch"])
        lines.append(
            f"{name} {row['planned_mib']:.0f} | {row['measured_mib']:.0f} | {row['seconds']:.2f} "
            f"| {memory:.2f} | {per_item:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
