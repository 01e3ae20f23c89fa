"""Application of the matrices in aligner.npz to raw features; needs only NumPy.

aligner = load("aligner.npz")
cosines = embed(aligner, "x", x) @ embed(aligner, "y", y).T  # x [n, dx], y [m, dy]
gallery = smooth_gallery(aligner, "x", embed(aligner, "x", x))  # x, to be ranked for queries of y
"""

import numpy as np


def load(path):
    """Return the arrays of an .npz file by name."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def embed(aligner, side, rows):
    """Return unit rows [n, k] of raw features [n, d] of a modality, "x" or "y"."""
    rows = (np.asarray(rows, np.float64) - aligner[f"{side}_mean"]) * aligner[f"{side}_scale"]
    if f"{side}_basis" in aligner:
        rows = rows @ aligner[f"{side}_basis"]
    smooth = rows
    if f"{side}_bank" in aligner:  # smoothed by the mean of the nearest rows of a bank
        bank, weight = aligner[f"{side}_bank"], aligner[f"{side}_weight"]
        nearest = _nearest(_unit(rows) @ _unit(bank).T, aligner[f"{side}_count"])
        smooth = (1 - weight) * rows + weight * bank[nearest].mean(axis=1)
    unit = _unit((smooth - aligner[f"{side}_center"]) @ aligner[f"{side}_map"])
    if f"{side}_joined_map" not in aligner:
        return unit
    joined = _unit((rows - aligner[f"{side}_joined_center"]) @ aligner[f"{side}_joined_map"])
    return _unit(np.concatenate([unit, joined], axis=1))


def smooth_gallery(aligner, side, rows):
    """Return embedded rows [n, k] of a modality, smoothed if the aligner smooths that gallery."""
    if f"{side}_gallery_bank" not in aligner:
        return rows
    bank, temperature = aligner[f"{side}_gallery_bank"], aligner[f"{side}_gallery_temperature"]
    cosines = rows @ bank.T
    nearest = _nearest(cosines, aligner[f"{side}_gallery_count"])
    cosines = np.take_along_axis(cosines, nearest, axis=1) / temperature
    shares = np.exp(cosines - cosines.max(axis=1, keepdims=True))
    mean = np.einsum("nc,nck->nk", shares, bank[nearest])
    return _unit(rows + aligner[f"{side}_gallery_weight"] * _unit(mean))


def _unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _nearest(cosines, count):
    return np.argsort(-cosines, axis=1, kind="stable")[:, : int(count)]
