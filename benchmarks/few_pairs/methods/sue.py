"""SUE in closed form: spectral embeddings of each modality, joined by CCA; no MMD network.

Source: Yacobi et al., 2025, whose embedding is a network; here new items take the mean of the
embeddings of their neighbours. Settings were not chosen.
"""

import numpy as np
from few_pairs.package import standardized

LABEL = "SUE, closed form"
DIRECTIONS, NEIGHBOURS, SHRINKAGE = 8, 15, 1e-3


def fit(x, y, unmatched_x, unmatched_y, seed):
    from gentle_clip_jax.aligners.closed_form.cca import cca

    spectral_x, spectral_y = spectral(x, unmatched_x), spectral(y, unmatched_y)
    maps = cca(spectral_x(x), spectral_y(y), shrinkage=SHRINKAGE)
    return (
        lambda rows: np.asarray(maps.embed_x(spectral_x(rows))),
        lambda rows: np.asarray(maps.embed_y(spectral_y(rows))),
    )


def spectral(*sets):
    """Return a function from features to eigenvectors of the neighbour graph of the given items."""
    import scipy.sparse
    from sklearn.neighbors import NearestNeighbors

    mean, scale = standardized(*sets)
    rows = (np.concatenate(sets) - mean) / scale
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(rows)
    graph = near.kneighbors_graph()
    graph = graph.maximum(graph.T)
    degrees = scipy.sparse.diags_array(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    start = np.random.default_rng(0).normal(size=len(rows))  # else it differs from run to run
    _, vectors = scipy.sparse.linalg.eigsh(degrees @ graph @ degrees, k=DIRECTIONS + 1, v0=start)
    vectors = vectors[:, -2::-1] * np.sqrt(len(rows))  # without the constant one

    def embed(new):
        return vectors[near.kneighbors((new - mean) / scale, return_distance=False)].mean(axis=1)

    return embed
