"""Which residues of a protein are near which."""

import numpy as np
import scipy.spatial


def neighbours(ca: np.ndarray, *, most: int = 40, cutoff: float = 12.0) -> np.ndarray:
    """Places [n, most] int32 of each residue's neighbours, nearest first, then -1.

    Time and memory grow with n, by a tree of the points.

    Args:
      ca: [n, 3] C-alpha atoms, NaN where unknown; such a residue has and is no neighbour.
      most: neighbours at most.
      cutoff: distance at most, in the unit of ca.
    """
    places = np.full((len(ca), most), -1, np.int32)
    known = np.flatnonzero(np.isfinite(ca).all(axis=1))
    if len(known) > 1:
        tree = scipy.spatial.KDTree(ca[known])
        # The nearest of all is the residue itself, or one in the same place.
        _, found = tree.query(ca[known], k=most + 1, distance_upper_bound=cutoff)
        found = np.append(known, -1)[found]
        found = np.where(found == known[:, None], -1, found)
        order = np.argsort(found < 0, axis=1, kind="stable")[:, :most]
        places[known] = np.take_along_axis(found, order, axis=1)
    return places
