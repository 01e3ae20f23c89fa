"""The spatial neighbours of each residue of a protein."""

import numpy as np
import scipy.spatial


def neighbours(ca: np.ndarray, *, most: int = 40, cutoff: float = 12.0) -> np.ndarray:
    """Return indices [n, most] int32 of each residue's neighbours, nearest first, then -1.

    A k-d tree avoids the [n, n] distances.

    Args:
      ca: [n, 3] C-alpha atoms, NaN where unknown; such a residue neither has nor is a neighbour.
      most: largest number of neighbours.
      cutoff: largest distance, in the unit of ca.
    """
    places = np.full((len(ca), most), -1, np.int32)
    resolved = np.flatnonzero(np.isfinite(ca).all(axis=1))
    if len(resolved) > 1:
        tree = scipy.spatial.KDTree(ca[resolved])
        # The nearest point is the residue itself, or one in the same place.
        _, nearest = tree.query(ca[resolved], k=most + 1, distance_upper_bound=cutoff)
        nearest = np.append(resolved, -1)[nearest]
        nearest = np.where(nearest == resolved[:, None], -1, nearest)
        order = np.argsort(nearest < 0, axis=1, kind="stable")[:, :most]
        places[resolved] = np.take_along_axis(nearest, order, axis=1)
    return places
