"""What several processes cost here, and on paper what a pod would do.

    python benchmarks/scaling.py [--steps=60] [--out=docs/results]

Measured: the quickstart (configs/icons.py) by launch/local_processes.sh with 1, 2 and 4 processes,
and by one process with as many virtual devices, each from an empty compilation cache. Bytes sent
are those of the collectives in the compiled step. On paper: CLIP's towers on TPU v5e chips, from
the products of a step, docs/results/data.json and the counts of docs/scaling.md. Writes scaling.md
and scaling.json; a run that is done is kept in runs/scaling.json, until that is removed.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import data
from training import table

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "icons.py"
# Processes, devices of each, and how many devices share the state.
RUNS = [(1, 1, 1), (1, 2, 1), (2, 1, 1), (1, 4, 1), (4, 1, 1), (4, 1, 4)]

PAIRS, DIM = 32_768, 512  # of a global batch; CLIP's own, arXiv 2103.00020
CHIPS = (8, 64, 1024)
# As published for TPU v5e, and what of it is taken to be reached.
PEAK, LINK, REACHED = 197e12, 50e9, 0.4
CHIPS_A_HOST = 8
HIGHEST = 6  # bfloat16 passes of a float32 product
MESSAGE = 2e-6  # seconds, of one from chip to chip, beside its bytes
TOWERS = {"CLIP ViT-B/32": (768, 32, 12, 512, 8), "CLIP ViT-L/14": (1024, 14, 24, 768, 12)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--steps", type=int, default=60, help="of each run")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--plan", nargs=2, metavar=("DEVICES", "FSDP"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.plan:
        print(json.dumps(planned(*map(int, args.plan))))
        return
    from gentle_clip_jax.runs.log import machine

    content: dict[str, Any] = {
        "command": shlex.join(["python", "benchmarks/scaling.py", *sys.argv[1:]]),
        "machine": machine(),
    }
    kept, content["measured"] = ROOT / "runs" / "scaling.json", []
    before = json.loads(kept.read_text()) if kept.exists() else {}
    if before | {"measured": []} == content:
        content = before
    for processes, devices, fsdp in RUNS[len(content["measured"]) :]:
        row = {"processes": processes, "devices": devices, "fsdp": fsdp}
        content["measured"].append(row | measured(processes, devices, fsdp, args.steps))
        print(content["measured"][-1], flush=True)
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(content))
    decoded = json.loads((args.out / "data.json").read_text())
    content["on_paper"] = [on_paper(name, chips, decoded) for name in TOWERS for chips in CHIPS]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "scaling.json").write_text(json.dumps(content, indent=2) + "\n")
    (args.out / "scaling.md").write_text(page(content))


def measured(processes: int, devices: int, fsdp: int, steps: int) -> dict[str, float]:
    """Seconds to compile and of a step, and memory of the largest process, of a run from nothing;
    and what the compiled step holds and sends.
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = [f"--config={CONFIG}", f"--workdir={folder}", f"--config.mesh.fsdp={fsdp}"]
        arguments += [f"--config.train.{key}={steps}" for key in ("steps", "checkpoint_every")]
        run = subprocess.Popen(
            [ROOT / "launch" / "local_processes.sh", str(processes), *arguments],
            env=os.environ
            | {
                "JAX_NUM_CPU_DEVICES": str(devices),
                "GENTLE_CLIP": shlex.join([sys.executable, "-m", "gentle_clip_jax"]),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert run.stdout is not None
        said = run.stdout.read()
        # Of the largest process of all that came from this one.
        _, status, usage = os.wait4(run.pid, 0)
        if status:
            sys.exit(f"{processes} processes: {said}")
        lines = map(json.loads, (pathlib.Path(folder) / "metrics.jsonl").read_text().splitlines())
        rates = [line["examples_per_second"] for line in lines if line["kind"] == "train"]
    compiled = re.search(r"Compiled in ([\d.]+) s", said)
    assert compiled is not None
    command = [sys.executable, __file__, "--plan", str(processes * devices), str(fsdp)]
    plan = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {
        "compile_s": float(compiled[1]),
        "step_s": batch_size() / statistics.median(rates[1:]),
        "process_mib": usage.ru_maxrss / 2**10,
        **json.loads(plan.stdout.splitlines()[-1]),
    }


def batch_size() -> int:
    from gentle_clip_jax.config import load_config

    sizes = load_config(CONFIG, []).train
    return sizes.batch_matched + sizes.batch_unmatched


def planned(devices: int, fsdp: int) -> dict[str, float]:
    """MiB that the compiled step of the quickstart needs on each device, and sends from it."""
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    from losses_forms import sent_bytes

    from gentle_clip_jax.config import load_config
    from gentle_clip_jax.parallel import memory, mesh
    from gentle_clip_jax.tasks import task_of
    from gentle_clip_jax.training import batching, loop
    from gentle_clip_jax.training.step import recipe
    from gentle_clip_jax.training.train_state import init_state

    config = load_config(CONFIG, [f"--config.mesh.fsdp={fsdp}"])
    with tempfile.TemporaryDirectory() as folder:
        task = task_of(config)
        dataset = task.load_data(config, pathlib.Path(folder))
    model = task.build_model(config, dataset)
    state = loop.on_devices(config, init_state(config, task, dataset, model))
    batch = mesh.shard_batch(batching.batch_at(config, dataset)(0), mesh.data_mesh(fsdp))
    jitted = loop.jitted_step(recipe(config, task, model), state)
    step = jitted.lower(state, batch).compile()
    arrays = jax.tree.leaves(state)
    return {
        "needed_mib": memory.needed_bytes(step) / 2**20,
        "state_mib": sum(a.addressable_shards[0].data.nbytes for a in arrays) / 2**20,
        "sent_mib": sent_bytes(step.as_text(), devices) / 2**20,
    }


def on_paper(name: str, chips: int, decoded: dict) -> dict[str, Any]:
    """Milliseconds of the parts of a step of CLIP + MMD + SDD, the state's GiB, images a second."""
    found = next(row for row in decoded["steps"] if row["towers"] == name)
    from_file = {"file": found["file"], "size": found["size"]}
    (image,) = (row for row in decoded["decode"] if row.items() >= from_file.items())
    rows, params = PAIRS // chips, num_params(*TOWERS[name])
    ring = rows >= 256  # fewer rows to a chip: messages in sequence take longer than one gather
    products = (16 if ring else 18) * PAIRS**2 * DIM / chips
    sent = (24 if ring else 36) * PAIRS * DIM
    times = {
        "towers": found["tflop"] * 1e12 / data.BATCH * rows / (PEAK * REACHED),
        "losses": products / (PEAK / HIGHEST),
        "losses_sent": sent / LINK + (4 * chips * MESSAGE if ring else 0),
        "gradients_sent": 2 * 4 * params * (chips - 1) / chips / LINK,
    }
    second = rows * CHIPS_A_HOST / sum(times.values())
    return {
        "towers": name,
        "chips": chips,
        "rows": rows,
        "form": "ring" if ring else "one array",
        **{f"{part}_ms": 1e3 * value for part, value in times.items()},
        "step_ms": 1e3 * sum(times.values()),
        "busy": (times["towers"] + times["losses"]) / sum(times.values()),
        "state_gib": 20 * params / 2**30,
        "images_a_host": second,
        "cores_a_host": second * image["us"] / 1e6,
        "processes_a_host": second * image["held_us"] / 1e6,
    }


def num_params(width: int, patch: int, depth: int, text_width: int, heads: int) -> int:
    """Parameters of CLIP's two towers."""
    import jax
    import jax.numpy as jnp

    from gentle_clip_jax.encoders.clip import from_config

    vision = {"hidden_size": width, "patch_size": patch, "num_hidden_layers": depth}
    vision |= {"intermediate_size": 4 * width, "num_attention_heads": width // 64}
    text = {"hidden_size": text_width, "intermediate_size": 4 * text_width}
    text |= {"num_attention_heads": heads, "eos_token_id": 49407}
    parts = {"projection_dim": text_width, "vision_config": vision, "text_config": text}
    towers = from_config({"model_type": "clip", **parts})
    inputs = jnp.zeros((1, 224, 224, 3)), jnp.zeros((1, 77), int)
    shapes = [jax.eval_shape(t.init, jax.random.key(0), one) for t, one in zip(towers, inputs)]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def page(content: dict[str, Any]) -> str:
    """Both tables as Markdown."""
    about = content["machine"]
    return f"""# Several processes, measured; a pod, on paper

`{content["command"]}` on {about["cpus"]} x {about["processor"]}, jax {about["jax"]}.

## Measured: the quickstart's step, batch of {batch_size()} items a modality

{table(*measured_rows(content["measured"]))}

Steps: the median of what metrics.jsonl says, without the first lines. All devices share these
{about["cpus"]} cores, so more of them cannot be faster: what is to be seen is what processes and
collectives cost beside one process with as many devices. Needed and sent, of one device and step,
are those of the compiled program; the process is its largest resident memory, Python, the
libraries, the data and compilation among it.

## On paper: CLIP + MMD + SDD, {PAIRS:,} rows a modality, TPU v5e

{table(*paper_rows(content["on_paper"]))}

Nothing of this ran. A chip is taken to have {PEAK / 1e12:.0f} TFLOP/s in bfloat16, of which towers
reach {REACHED:.0%}, and one link of {LINK / 1e9:.0f} GB/s; a host has {CHIPS_A_HOST} chips. Losses
are counted as in [scaling](../scaling.md), float32 products as {HIGHEST} passes, a message of the
ring as {MESSAGE * 1e6:.0f} µs; gradients are summed by a ring of all chips in float32. Nothing
overlaps, and each item has one view. Busy: the share of the step that is products. The state is
held whole: parameters, their average, two moments, gradients. Cores and processes: what decoding
takes in all, and in Python's lock, by [the figures of data](data.md), of other cores than a v5e
host has.
"""


Table = tuple[list[str], list[list[str]]]  # the head, the rows


def measured_rows(rows: list[dict]) -> Table:
    head = ["processes, devices of each, fsdp", "compile, s", "step, ms"]
    head += ["state of a device, MiB", "needed, MiB", "sent, MiB", "largest process, MiB"]
    return head, [
        [
            f"{r['processes']}, {r['devices']}, {r['fsdp']}",
            f"{r['compile_s']:.1f}",
            f"{1e3 * r['step_s']:,.0f}",
            *(f"{r[f'{part}_mib']:,.1f}" for part in ("state", "needed", "sent")),
            f"{r['process_mib']:,.0f}",
        ]
        for r in rows
    ]


def paper_rows(rows: list[dict]) -> Table:
    parts = {"towers": "towers", "losses": "losses", "losses_sent": "losses sent"}
    parts |= {"gradients_sent": "gradients sent", "step": "step"}
    head = ["towers, chips", "rows a chip", "loss", *(f"{part}, ms" for part in parts.values())]
    head += ["busy", "state, GiB", "images a second and host", "its cores", "its processes"]
    return head, [
        [
            f"{r['towers']}, {r['chips']:,}",
            f"{r['rows']:,}",
            r["form"],
            *(f"{r[f'{part}_ms']:,.1f}" for part in parts),
            f"{r['busy']:.0%}",
            f"{r['state_gib']:.1f}",
            f"{r['images_a_host']:,.0f}",
            f"{r['cores_a_host']:,.1f}",
            f"{r['processes_a_host']:,.1f}",
        ]
        for r in rows
    ]


if __name__ == "__main__":
    main()
