"""A run folder such as training and evaluation leave, of made-up figures."""

import json

import numpy as np

COLORS = ["red", "green", "blue", "black", "white", "brown", "pale", "dark"]
THINGS = ["bell", "book", "camera", "car", "clock", "cloud", "door", "flag", "key", "map", "moon"]
CONFIG = {
    "seed": 0,
    "data": {"name": "icons", "matched_fraction": 0.1, "held_out": 700},
    "loss": {"clip_weight": 1.0, "mmd_weight": 0.2, "sdd_weight": 0.1, "ssl_weight": 0.15},
    "train": {"num_steps": 600, "batch_matched": 128, "batch_unmatched": 256},
}
INFO = {
    "versions": {"gentle-clip-jax": "0.1.0", "jax": "0.10.2", "flax": "0.12.8"},
    "device": "cpu",
    "num_devices": 1,
    "seed": 0,
    "command": "gentle-clip train --config=configs/icons.py --workdir=runs/icons",
    "started": "2026-11-24T09:00:00+00:00",
    "seconds": 214.6,
}


def write_run(
    path,
    *,
    quality=1.0,
    config=CONFIG,
    num_items=120,
    evaluated=True,
    embedded=True,
    modalities=("image", "text"),
):
    """Writes the folder; `quality` 0 is a model that learnt nothing."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    (path / "run.json").write_text(json.dumps(INFO))
    lines = [line for step in range(10, 601, 10) for line in metrics_lines(step, quality)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if evaluated:
        (path / "evaluation.json").write_text(json.dumps(evaluation(quality, modalities)))
    if embedded:
        np.savez(path / "embeddings.npz", **embeddings(quality, num_items))
    return path


def metrics_lines(step, quality):
    rng = np.random.default_rng([step, int(100 * quality)])
    progress = quality * (1 - np.exp(-step / 200))
    terms = {
        "clip": 4.8 - 3 * progress,
        "mmd": 0.4 * np.exp(-step / 60),
        "sdd": 2 * np.exp(-step / 90),
    }
    terms = {"loss/" + name: value * rng.normal(1, 0.05) for name, value in terms.items()}
    yield {
        "step": step,
        "kind": "train",
        **terms,
        "loss/total": sum(terms.values()),
        "grad_norm": float(rng.lognormal(0.5, 0.4)),
        "temperature": 0.05,
        "examples_per_second": 2100 * rng.normal(1, 0.03),
        "alignment/modality_gap": 0.9 * np.exp(-step / 80) + 0.05,
        "alignment/mmd": terms["loss/mmd"],
    }
    if step % 100 == 0:
        yield {
            "step": step,
            "kind": "validation",
            "i2t_r1": 0.2 * progress,
            "i2t_r10": 0.45 * progress,
            "t2i_r10": 0.44 * progress,
            "mean_recall": 0.31 * progress,
            "zero_shot_accuracy": 0.37 * progress,
        }


def evaluation(quality, modalities=("image", "text")):
    shares = {"r1": 0.19, "r5": 0.36, "r10": 0.46}
    metrics = {}
    for direction in ("i2t", "t2i"):
        for name, share in shares.items():
            value = quality * share
            metrics[f"{direction}_{name}"] = {
                "value": value,
                "low": value * 0.9,
                "high": value * 1.1,
            }
        metrics[f"{direction}_median_rank"] = {
            "value": 14 / quality,
            "low": 11 / quality,
            "high": 18.0,
        }
    mean = quality * 0.33
    metrics["mean_recall"] = {"value": mean, "low": mean - 0.025, "high": mean + 0.025}
    metrics["zero_shot_accuracy"] = {
        "value": quality * 0.38,
        "low": quality * 0.33,
        "high": quality * 0.43,
    }
    return {
        "split": "test",
        "step": 600,
        "num_items": 700,
        "modalities": [*modalities],
        "metrics": metrics,
    }


def embeddings(quality, n):
    rng = np.random.default_rng(0)
    meaning, axis = rng.normal(size=(n, 64)), 14 * np.eye(64)[:1]
    color, thing = rng.integers(len(COLORS), size=n), rng.integers(len(THINGS), size=n)
    return {
        "x_initial": unit_rows(rng.normal(size=(n, 64)) + axis),
        "y_initial": unit_rows(rng.normal(size=(n, 64)) - axis),
        "x": unit_rows(quality * meaning + 1.1 * rng.normal(size=(n, 64))),
        "y": unit_rows(quality * meaning + 1.1 * rng.normal(size=(n, 64))),
        "names": np.array([f"{COLORS[a]} {THINGS[b]}" for a, b in zip(color, thing)]),
        "pictures": np.stack([glyph(a, b) for a, b in zip(color, thing)]),
        "set": np.array("test"),
    }


def unit_rows(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def glyph(a, b):
    """A ring of radius a and a bar at place b; 0 is background."""
    row, column = np.mgrid[:32, :32] - 15.5
    ring = np.abs(np.hypot(row, column) - 4 - a) < 1.5
    bar = np.abs(column - 2 * b + 12) < 1.2
    return (255 * (ring | bar)).astype(np.uint8)
