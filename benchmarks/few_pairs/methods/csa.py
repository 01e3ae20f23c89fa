"""CSA, canonical similarity analysis: CCA without shrinkage, cosines weighted by correlations.

Source: Li et al., ICLR 2025; their code takes at most 150 directions, unit rows and then weights.
"""

import numpy as np
from few_pairs.package import standardized

LABEL = "CSA"
DIRECTIONS, SHRINKAGE = 150, 1e-6  # the latter only keeps the inverse finite


def fit(x, y, unmatched_x, unmatched_y, seed):
    from gentle_clip_jax.aligners.closed_form.cca import cca

    scales = standardized(x), standardized(y)
    x, y = ((rows - mean) / scale for rows, (mean, scale) in zip((x, y), scales))
    maps = cca(x, y, shrinkage=SHRINKAGE, power=0.0, dim=DIRECTIONS)
    along = [np.asarray(embed(rows)) for embed, rows in ((_x(maps), x), (_y(maps), y))]
    correlations = np.clip([np.corrcoef(*pair)[0, 1] for pair in zip(*(a.T for a in along))], 0, 1)

    def embedded(embed, scale, side):
        def weighted(rows):
            unit = embed((rows - scale[0]) / scale[1])
            unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
            unit = unit * np.sqrt(correlations)
            rest = np.zeros((len(unit), 2))  # unit rows again, whose cosine is the weighted one
            rest[:, side] = np.sqrt(np.maximum(1 - np.sum(unit**2, axis=1), 0))
            return np.concatenate([unit, rest], axis=1)

        return weighted

    return embedded(_x(maps), scales[0], 0), embedded(_y(maps), scales[1], 1)


def _x(maps):
    return lambda rows: (rows - np.asarray(maps.mean_x)) @ np.asarray(maps.map_x)


def _y(maps):
    return lambda rows: (rows - np.asarray(maps.mean_y)) @ np.asarray(maps.map_y)
