"""What needs no trained tower on proteins: linear models, CCA, scales, lengths, chance."""

import argparse
import pathlib

import jax
import numpy as np

from gentle_clip_jax import evaluation
from gentle_clip_jax.encoders.protein_structure import invariants
from gentle_clip_jax.storage.writing import write_json
from gentle_clip_jax.tasks.config import load_config
from gentle_clip_jax.tasks.proteins import domains, measures
from gentle_clip_jax.tasks.proteins import task as field

CONFIGS = pathlib.Path(__file__).resolve().parents[1] / "configs"
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
    parser.add_argument("config", help="a config of proteins by its name, such as protein")
    parser.add_argument("out", type=pathlib.Path, help="the .json to write")
    args, overrides = parser.parse_known_args()
    path, out = CONFIGS / f"{args.config}.py", args.out
    config = load_config(path, overrides)
    dataset = field.load_data(config, out.parent)
    rows = {
        "residues_linear": linear(dataset),
        "scales": scales(dataset),
        "lengths": lengths(dataset),
        "chance": chance(dataset),
    }
    for start in ("cca", "transported_cca"):
        config = load_config(path, [*overrides, f"--config.model.start={start}"])
        rows[start] = summaries(config, dataset)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, rows)


def both_splits(dataset, measure) -> dict[str, dict[str, float]]:
    """What `measure(split, items, sets)` finds, by set, as the field's evaluation names it."""
    found = {}
    for split in ("validation", "test"):
        sets = measure(split, getattr(dataset, split), getattr(dataset.metadata, split))
        found[split] = evaluation.means(sets)
        if len(sets) > 1:
            found[split] |= evaluation.by_set(sets)
    return found


def retrieval(sets, x, y) -> dict[str, dict[str, float]]:
    """Of embeddings [n, d] of all items, figures by set."""
    found = {}
    for name, one_set in sets.items():
        rows = one_set.retrieved
        values = measures.crop_figures(x[rows], y[rows], one_set.lengths, one_set.distinct)
        found[name] = {metric: float(np.mean(one)) for metric, one in values.items()}
    return found


def transfer(dataset, sets, sequences, structures) -> dict[str, dict[str, float]]:
    """Of embeddings of whole labelled domains, of the training sequences and by set."""
    found, train = {}, dataset.metadata.train.labels
    for name, one_set in sets.items():
        found[name] = {}
        for kind, labels in one_set.labelled.labels.items():
            seen, asked = train[kind] != "", labels != ""
            hits = measures.transferred(
                sequences[seen], train[kind][seen], structures[name][asked], labels[asked]
            )
            found[name][f"{kind}_transfer"] = float(np.mean(hits))
    return found


def joined(one, other) -> dict[str, dict[str, float]]:
    return {name: one[name] | other[name] for name in one}


def one_hot(tokens: np.ndarray) -> np.ndarray:
    return np.eye(domains.NUM_TOKENS, dtype=np.float32)[tokens][..., :20]


def features(structures, chunk: int = 32) -> np.ndarray:
    """What a residue's structure is [n, l, f], and a 1: invariants, or the states near it."""
    if not isinstance(structures, dict):
        near = np.pad(structures, ((0, 0), (3, 3)), constant_values=domains.PADDING)
        size = structures.shape[1]
        states = np.eye(domains.NUM_TOKENS, dtype=np.float32)[:, : len(domains.STATES)]
        whole = np.concatenate([states[near[:, k : k + size]] for k in range(7)], axis=-1)
    else:
        apply = jax.jit(lambda backbone, near: invariants(backbone, near)[1])
        parts = []
        for start in range(0, len(structures["backbone"]), chunk):
            part = [
                np.resize(rows[start : start + chunk], (chunk, *rows.shape[1:]))
                for rows in (structures["backbone"], structures["neighbours"])
            ]
            parts.append(np.asarray(apply(*part)))
        whole = np.concatenate(parts)[: len(structures["backbone"])]
    return np.concatenate([whole, np.ones_like(whole[..., :1])], axis=-1)


def linear(dataset) -> dict:
    """Ridge regression of a residue's kind on its own structure, shared over all places."""
    inputs, kinds = features(dataset.matched.y), one_hot(dataset.matched.x)
    known = kinds.any(axis=-1)
    inputs, kinds = inputs[known], kinds[known]
    frequency = kinds.mean(axis=0) + 1e-3
    targets = kinds / frequency - 1  # what a kind is likelier by, given the structure
    gram, cross = inputs.T @ inputs, inputs.T @ targets
    train = dataset.metadata.train.tokens
    train = pooled(train, map(one_hot, train))
    of_crops = {split: features(getattr(dataset, split).y) for split in ("validation", "test")}
    of_whole = {
        name: [features(one) for one in one_set.labelled.structures]
        for name, one_set in {**dataset.metadata.validation, **dataset.metadata.test}.items()
    }

    def measure(ridge):
        weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), cross)

        def odds(inputs):
            return np.log(np.maximum(1 + inputs @ weights, 0.05))

        def of(split, items, sets):
            whole = {
                name: pooled(one_set.labelled.tokens, map(odds, of_whole[name]))
                for name, one_set in sets.items()
            }
            flat = one_hot(items.x), odds(of_crops[split])
            x, y = (rows.reshape(len(items), -1) for rows in flat)
            return joined(retrieval(sets, x, y), transfer(dataset, sets, train, whole))

        return of

    def validated(ridge):
        sets = measure(ridge)("validation", dataset.validation, dataset.metadata.validation)
        return evaluation.means(sets)["crop_mrr"]

    return both_splits(dataset, measure(max(RIDGES, key=validated)))


def pooled(tokens, rows) -> np.ndarray:
    """Means over residues, less their mean over domains."""
    means = []
    for letters, own in zip(tokens, rows):
        where = (letters != domains.PADDING)[..., None]
        means.append(np.sum(own * where, axis=1) / np.sum(where, axis=1))
    means = np.concatenate(means)
    return means - means.mean(axis=0)


def scales(dataset) -> dict:
    """No pairs: scales of helix, strand and hydropathy against what there is of them."""

    def of_tokens(tokens):
        scaled = (SCALES - SCALES.mean(axis=1, keepdims=True)) / SCALES.std(axis=1, keepdims=True)
        return one_hot(tokens) @ scaled.T.astype(np.float32)

    def of_states(states):
        helix, strand = states < 3, (states >= 3) & (states < 5)
        return standard(np.stack([helix, strand, np.zeros_like(helix)], -1).astype(np.float32))

    def of_backbones(backbone):
        ca = backbone[:, :, 1]
        steps = np.diff(ca, axis=1)
        a, b, c = steps[:, :-2], steps[:, 1:-1], steps[:, 2:]
        left, right = np.cross(a, b), np.cross(b, c)
        unit = b / np.linalg.norm(b, axis=-1, keepdims=True)
        # By IUPAC's sign; a helix has 50 degrees, a strand -170.
        turn = np.arctan2((np.cross(unit, left) * right).sum(-1), (left * right).sum(-1))
        turn = np.pad(turn, ((0, 0), (1, 2)), constant_values=np.nan)
        apart = np.linalg.norm(ca[:, :, None] - ca[:, None], axis=-1)
        buried = np.sum(apart < 10, axis=-1).astype(np.float32)
        buried[~np.isfinite(ca[..., 0])] = np.nan
        channels = np.stack([np.cos(turn - 0.87), np.cos(turn + 2.97), buried], axis=-1)
        return standard(channels)

    def standard(channels):
        mean, deviation = (f(channels, axis=(0, 1)) for f in (np.nanmean, np.nanstd))
        return np.nan_to_num((channels - mean) / (deviation + 1e-9)).astype(np.float32)

    def of_structures(items):
        return of_backbones(items["backbone"]) if isinstance(items, dict) else of_states(items)

    def of(split, items, sets):
        train = pooled(dataset.metadata.train.tokens, map(of_tokens, dataset.metadata.train.tokens))
        whole = {
            name: pooled(one_set.labelled.tokens, map(of_structures, one_set.labelled.structures))
            for name, one_set in sets.items()
        }
        x, y = (
            rows.reshape(len(items), -1) for rows in (of_tokens(items.x), of_structures(items.y))
        )
        return joined(retrieval(sets, x, y), transfer(dataset, sets, train, whole))

    return both_splits(dataset, of)


def lengths(dataset) -> dict:
    """The nearest in length of the whole domain: what a crop does not show."""

    def of(split, items, sets):
        size = np.zeros(len(items), np.float32)
        for one_set in sets.values():
            size[one_set.retrieved] = one_set.lengths
        one = np.ones_like(size)
        x, y = np.stack([2 * size, -(size**2), one], 1), np.stack([size, one, -(size**2)], 1)
        return retrieval(sets, x, y)

    return both_splits(dataset, of)


def chance(dataset) -> dict:
    """Expected by a random order: of n candidates, the mean of 1 / rank; the largest class."""

    def of_set(one_set):
        number = len(one_set.retrieved)
        values = {
            "crop_mrr": float(np.mean(1 / np.arange(1, number + 1))),
            "crop_r1": 1 / number,
            "sequence_to_structure_r1": 1 / number,
            "length_matched_mrr": float(np.mean(1 / np.arange(1, 21))),
            "distinct_crop_mrr": float(np.mean(1 / np.arange(1, one_set.distinct.sum() + 1))),
        }
        for kind, labels in one_set.labelled.labels.items():
            counts = np.unique(labels[labels != ""], return_counts=True)[1]
            values[f"{kind}_transfer"] = float(counts.max() / counts.sum())
        return values

    return both_splits(
        dataset, lambda split, items, sets: {name: of_set(one) for name, one in sets.items()}
    )


def summaries(config, dataset) -> dict:
    """Maps of composition and of the moments of structure: the heads of untrained towers."""
    model = field.build_model(config, dataset)
    params = field.init_params(config, dataset, model)
    dim = config.model.embedding_dim
    train = field._summaries(model, params, dataset.metadata.train.tokens, "x")

    def of(split, items, sets):
        x, y = (
            field._crops(model, params, rows, name)[:, :dim]
            for rows, name in ((items.x, "x"), (items.y, "y"))
        )
        whole = {
            name: field._summaries(model, params, one_set.labelled.structures, "y")
            for name, one_set in sets.items()
        }
        return joined(retrieval(sets, x, y), transfer(dataset, sets, train, whole))

    return both_splits(dataset, of)


if __name__ == "__main__":
    main()
