"""CCA as papers use it for a baseline: no shrinkage, directions that count equally."""

import numpy as np
from few_pairs.package import standardized

LABEL = "CCA, not shrunk"
SHRINKAGE = 1e-6  # only keeps the inverse finite where there are fewer pairs than features


def fit(x, y, unmatched_x, unmatched_y, seed):
    from gentle_clip_jax.aligners.closed_form.cca import cca

    (mean_x, scale_x), (mean_y, scale_y) = (
        standardized(x, unmatched_x),
        standardized(y, unmatched_y),
    )
    maps = cca((x - mean_x) / scale_x, (y - mean_y) / scale_y, shrinkage=SHRINKAGE, power=0.0)
    return (
        lambda rows: np.asarray(maps.embed_x((rows - mean_x) / scale_x)),
        lambda rows: np.asarray(maps.embed_y((rows - mean_y) / scale_y)),
    )
