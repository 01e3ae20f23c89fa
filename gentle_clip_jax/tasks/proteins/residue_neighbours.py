"""The spatial neighbours of each residue of a protein."""

import numpy as np
import scipy.spatial


def neighbours(ca: np.ndarray, *, most: int = 40, cutoff: float = 12.0) -> np.ndarray:
    """Return places [n, most] int32 of each residue's neighbours, nearest first, then -1.

    Time and memory grow with n, by a tree of the points.

    Args:
      ca: [n, 3] C-alpha atoms, NaN where unknown; such a residue has and is no neighbour.
      most: neighbours at most.
      cutoff: distance at most, in the unit of ca.
    """
    places = np.full((len(ca), most), -1, np.int32)
    resolved = np.flatnonzero(np.isfinite(ca).all(axis=1))
    if len(resolved) > 1:
        tree = scipy.spatial.KDTree(ca[resolved])
        # The nearest of all is the residue itself, or one in the same place.
        _, nearest = tree.query(ca[resolved], k=most + 1, distance_upper_bound=cutoff)
        nearest = np.append(resolved, -1)[nearest]
        nearest = np.where(nearest == resolved[:, None], -1, nearest)
        order = np.argsort(nearest < 0, axis=1, kind="stable")[:, :most]
        places[resolved] = np.take_along_axis(nearest, order, axis=1)
    return places
