"""Partial least squares of scikit-learn, the canonical variant; settings were not chosen."""

import warnings

from few_pairs.package import standardized

LABEL = "PLS (scikit-learn)"
COMPONENTS = 32


def fit(x, y, unmatched_x, unmatched_y, seed):
    from sklearn.cross_decomposition import PLSCanonical

    (mean_x, scale_x), (mean_y, scale_y) = (
        standardized(x, unmatched_x),
        standardized(y, unmatched_y),
    )
    components = min(COMPONENTS, len(x) - 1, x.shape[1], y.shape[1])
    model = PLSCanonical(components, scale=False, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a late component may not converge
        model.fit((x - mean_x) / scale_x, (y - mean_y) / scale_y)
    x_rotations, y_rotations = model.x_rotations_, model.y_rotations_
    center_x, center_y = (
        ((x - mean_x) / scale_x).mean(axis=0),
        ((y - mean_y) / scale_y).mean(axis=0),
    )
    return (
        lambda rows: ((rows - mean_x) / scale_x - center_x) @ x_rotations,
        lambda rows: ((rows - mean_y) / scale_y - center_y) @ y_rotations,
    )
