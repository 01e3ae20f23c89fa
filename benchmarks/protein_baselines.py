"""What needs no trained tower on proteins: linear models, CCA, scales, lengths, chance."""

import argparse
import pathlib

import jax
import numpy as np

from gentle_clip_jax import experiment
from gentle_clip_jax.cli import load_config
from gentle_clip_jax.data import protein
from gentle_clip_jax.encoders.protein_structure import invariants
from gentle_clip_jax.evals import protein as measures
from gentle_clip_jax.fields import proteins as field

CONFIG = pathlib.Path(__file__).resolve().parents[1] / "configs" / "protein.py"
# For ACDEFGHIKLMNPQRSTVWY: Chou and Fasman 1978 (helix, strand), Kyte and Doolittle 1982.
SCALES = (
    "1.42 .70 1.01 1.51 1.13 .57 1.00 1.08 1.16 1.21 1.45 .67 .57 1.11 .98 .77 .83 1.06 1.08 .69",
    ".83 1.19 .54 .37 1.38 .75 .87 1.60 .74 1.30 1.05 .89 .55 1.10 .93 .75 1.19 1.70 1.37 1.47",
    "1.8 2.5 -3.5 -3.5 2.8 -.4 -3.2 4.5 -3.9 3.8 1.9 -3.5 -1.6 -3.5 -4.5 -.8 -.7 4.2 -.9 -1.3",
)
SCALES = np.array([line.split() for line in SCALES], float)
RIDGES = (1.0, 10.0, 100.0, 1000.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="the .json to write")
    out, overrides = parser.parse_known_args()
    config = load_config(CONFIG, overrides)
    task = experiment.load_task(config, out.out.parent)
    rows = {
        "residues_linear": linear(task),
        "scales": scales(task),
        "lengths": lengths(task),
        "chance": chance(task),
    }
    for start in ("cca", "transported_cca"):
        config = load_config(CONFIG, [*overrides, f"--config.model.start={start}"])
        rows[start] = summaries(config, task)
    out.out.parent.mkdir(parents=True, exist_ok=True)
    experiment.write_json(out.out, rows)


def figures(task, split: str, x, y, train=None, whole=None) -> dict[str, float]:
    """Means over queries; classes by `train` (x, labels) and `whole` (y, labels) if there are."""
    domains = getattr(task.about, split)
    values = measures.crop_figures(x, y, domains.lengths, domains.distinct)
    if train is not None:
        values["class_transfer"] = measures.transferred(*train, *whole)
    return {name: float(np.mean(one)) for name, one in values.items()}


def both_splits(task, measure) -> dict[str, dict[str, float]]:
    return {split: measure(split, getattr(task, split)) for split in ("validation", "test")}


def one_hot(tokens: np.ndarray) -> np.ndarray:
    return np.eye(protein.NUM_TOKENS, dtype=np.float32)[tokens][..., :20]


def features(structures: dict[str, np.ndarray], chunk: int = 32) -> np.ndarray:
    """Invariants [n, l, f] and a 1."""
    apply = jax.jit(lambda backbone, near: invariants(backbone, near)[1])
    structures = {name: structures[name] for name in ("backbone", "neighbours")}
    parts = []
    for start in range(0, len(structures["backbone"]), chunk):
        part = {
            name: np.resize(
                structures[name][start : start + chunk], (chunk, *structures[name].shape[1:])
            )
            for name, rows in structures.items()
        }
        parts.append(np.asarray(apply(part["backbone"], part["neighbours"])))
    whole = np.concatenate(parts)[: len(structures["backbone"])]
    return np.concatenate([whole, np.ones_like(whole[..., :1])], axis=-1)


def linear(task) -> dict:
    """Ridge regression of a residue's kind on its own invariants, shared over all places."""
    inputs, kinds = features(task.matched.y), one_hot(task.matched.x)
    known = kinds.any(axis=-1)
    inputs, kinds = inputs[known], kinds[known]
    frequency = kinds.mean(axis=0) + 1e-3
    targets = kinds / frequency - 1  # what a kind is likelier by, given the structure
    gram, cross = inputs.T @ inputs, inputs.T @ targets

    of_crops = {split: features(getattr(task, split).y) for split in ("validation", "test")}
    of_groups = {
        split: [features(group.structures) for group in getattr(task.about, split).labelled]
        for split in ("validation", "test")
    }
    train = pooled(task.about.train, [one_hot(g.tokens) for g in task.about.train.labelled])

    def measure(ridge):
        weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), cross)

        def odds(inputs):
            return np.log(np.maximum(1 + inputs @ weights, 0.05))

        def of(split, items):
            y = odds(of_crops[split])
            whole = pooled(getattr(task.about, split), [odds(one) for one in of_groups[split]])
            flat = one_hot(items.x).reshape(len(items), -1), y.reshape(len(items), -1)
            return figures(task, split, *flat, train, whole)

        return of

    best = max(RIDGES, key=lambda r: measure(r)("validation", task.validation)["crop_mrr"])
    return both_splits(task, measure(best))


def pooled(domains, rows) -> tuple[np.ndarray, np.ndarray]:
    """Means over residues, less their mean over domains, and classes."""
    means = []
    for group, own in zip(domains.labelled, rows):
        where = (group.tokens != protein.PADDING)[..., None]
        means.append(np.sum(own * where, axis=1) / np.sum(where, axis=1))
    means = np.concatenate(means)
    labels = np.concatenate([group.classes for group in domains.labelled])
    return means - means.mean(axis=0), labels


def scales(task) -> dict:
    """No pairs: helix, strand and hydropathy scales against turns and how buried a residue is."""

    def of_tokens(tokens):
        scaled = (SCALES - SCALES.mean(axis=1, keepdims=True)) / SCALES.std(axis=1, keepdims=True)
        return one_hot(tokens) @ scaled.T.astype(np.float32)

    def of_structure(backbone):
        ca = backbone[:, :, 1]
        steps = np.diff(ca, axis=1)
        a, b, c = steps[:, :-2], steps[:, 1:-1], steps[:, 2:]
        left, right = np.cross(a, b), np.cross(b, c)
        unit = b / np.linalg.norm(b, axis=-1, keepdims=True)
        turn = np.arctan2((np.cross(left, unit) * right).sum(-1), (left * right).sum(-1))
        turn = np.pad(turn, ((0, 0), (1, 2)), constant_values=np.nan)
        apart = np.linalg.norm(ca[:, :, None] - ca[:, None], axis=-1)
        buried = np.sum(apart < 10, axis=-1).astype(np.float32)
        buried[~np.isfinite(ca[..., 0])] = np.nan
        channels = np.stack([np.cos(turn - 0.87), np.cos(turn + 2.97), buried], axis=-1)
        mean, deviation = (f(channels, axis=(0, 1)) for f in (np.nanmean, np.nanstd))
        return np.nan_to_num((channels - mean) / deviation).astype(np.float32)

    def of(split, items):
        train, whole = task.about.train, getattr(task.about, split)
        train = pooled(train, [of_tokens(group.tokens) for group in train.labelled])
        whole = pooled(
            whole, [of_structure(group.structures["backbone"]) for group in whole.labelled]
        )
        flat = (
            rows.reshape(len(items), -1)
            for rows in (of_tokens(items.x), of_structure(items.y["backbone"]))
        )
        return figures(task, split, *flat, train, whole)

    return both_splits(task, of)


def lengths(task) -> dict:
    """The nearest in length of the whole domain: what a crop does not show."""

    def of(split, items):
        size = getattr(task.about, split).lengths.astype(np.float32)
        one = np.ones_like(size)
        x, y = np.stack([2 * size, -(size**2), one], 1), np.stack([size, one, -(size**2)], 1)
        return figures(task, split, x, y)

    return both_splits(task, of)


def chance(task) -> dict:
    """Expected by a random order: of n candidates, the mean of 1 / rank."""

    def of(split, items):
        domains = getattr(task.about, split)
        labels = np.concatenate([group.classes for group in domains.labelled])
        return {
            "crop_mrr": float(np.mean(1 / np.arange(1, len(items) + 1))),
            "crop_r1": 1 / len(items),
            "length_matched_mrr": float(np.mean(1 / np.arange(1, 21))),
            "distinct_crop_mrr": float(np.mean(1 / np.arange(1, domains.distinct.sum() + 1))),
            "class_transfer": float(np.bincount(labels).max() / len(labels)),
        }

    return both_splits(task, of)


def summaries(config, task) -> dict:
    """Maps of composition and of the moments of invariants: the heads of untrained towers."""
    model = experiment.build_model(config, task)
    params = field.init_params(config, task, model)
    dim = config.model.embedding_dim

    def of(split, items):
        flat = (
            np.asarray(field._crops(model, params, rows, name))[:, :dim]
            for rows, name in ((items.x, "x"), (items.y, "y"))
        )
        train = field._summaries(model, params, task.about.train.labelled, "x")
        whole = field._summaries(model, params, getattr(task.about, split).labelled, "y")
        return figures(task, split, *flat, train, whole)

    return both_splits(task, of)


if __name__ == "__main__":
    main()
