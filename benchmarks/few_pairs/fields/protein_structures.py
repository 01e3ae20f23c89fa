"""Protein sequences and structures, the central 64 residues of each domain."""

import numpy as np
from few_pairs.protocol import Field
from prediction_sets import counts

CROP = 64  # all of one length, which would otherwise tell the partners
IN_OTHERS = {"d3aaab_", "2pbdA04", "d3ssba_"}  # contained in, or containing, another domain
CLASSES = {"a": "1", "b": "2", "c": "3", "d": "3"}  # of SCOPe, as those of CATH
STEPS = (2, 3, 4, 5, 6, 8, 12, 16, 24)


def load(data, cache):
    import pyarrow.parquet as parquet

    folder = data / "pdb-domains-3d"
    rows = parquet.read_table(folder / "domains.parquet").to_pylist()
    arrays = np.load(folder / "coords.npz")
    backbone, offsets = arrays["bb"], arrays["offsets"]
    x, y, kept = [], [], []
    for row, start, end in zip(rows, offsets, offsets[1:]):
        at = (end - start - CROP) // 2
        if at < 0 or row["split"] not in ("train", "valid", "test") or row["id"] in IN_OTHERS:
            continue
        trace = backbone[start + at : start + at + CROP, 1].astype(np.float64) / 100
        x.append(counts(row["sequence"][at : at + CROP])[:-1])
        y.append(summary(trace))
        kept.append(row)
    classes = [row["cath_class"] or CLASSES.get(row["scop_class"], "") for row in kept]
    return Field(
        np.stack(x),
        np.stack(y).astype(np.float32),
        np.array([row["id"] for row in kept]),
        "protein domains, sequence and backbone of the central 64 residues (pdb-domains-3d)",
        ("roots of the shares of 1, 2 and 3 amino acids", "histograms of the C-alpha trace"),
        "CC0 (wwPDB)",
        labels=np.array([name if name in ("1", "2", "3") else "" for name in classes]),
        groups=np.array([row["group"] for row in kept]),  # homologous domains
    )


def summary(trace):
    """Roots of histograms: distances along the chain, turns, pairs of turns, neighbours."""
    parts = [
        np.histogram(np.linalg.norm(trace[step:] - trace[:-step], axis=1), 16, (3.0, 4.0 * step))[0]
        for step in STEPS
    ]
    steps = np.diff(trace, axis=0)
    before, middle, after = steps[:-2], steps[1:-1], steps[2:]
    left, right = np.cross(before, middle), np.cross(middle, after)
    axis = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    turns = np.arctan2(np.sum(np.cross(left, right) * axis, axis=1), np.sum(left * right, axis=1))
    full = (-np.pi, np.pi)
    parts.append(np.histogram(turns, 36, full)[0])
    parts.append(np.histogram2d(turns[:-1], turns[1:], 12, [full, full])[0].ravel())
    near = np.linalg.norm(trace[:, None] - trace[None], axis=-1) < 10
    parts.append(np.histogram(near.sum(axis=1), 16, (0, 32))[0])
    return np.concatenate([np.sqrt(part / max(part.sum(), 1)) for part in parts])
