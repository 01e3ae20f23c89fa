"""The projection of high-dimensional rows to two dimensions, for maps."""

import numpy as np


def principal_plane(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return x [n, d] and y [m, d] projected to their first two principal components.

    Returns also the share of the total variance that lies in this plane. The plane is that of the
    first two principal components of both sets together; each axis points where its largest
    loading is positive, so that equal inputs give equal pictures.
    """
    points = np.concatenate([x, y]).astype(float)
    points -= points.mean(axis=0)
    _, scale, axes = np.linalg.svd(points, full_matrices=False)
    axes = (
        axes[:2] * np.sign(axes[np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    )
    plane = points @ axes.T
    plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))  # one dimension is a line
    total = np.sum(scale**2)
    share = np.sum(scale[:2] ** 2) / total if total > 0 else 1.0
    return plane[: len(x)], plane[len(x) :], float(share)
