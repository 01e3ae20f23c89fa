"""Random walks from the pairs on a neighbour graph of each modality.

A new item takes the mean of its neighbours. Restart and root: one of four settings that were tried
on draws for choosing, see docs/results/closed.md.
"""

import numpy as np
from few_pairs.package import standardized

LABEL = "random walks from the pairs"
NEIGHBOURS, RESTART, STEPS = 15, 0.2, 30


def fit(x, y, unmatched_x, unmatched_y, seed):
    return _visits(x, unmatched_x), _visits(y, unmatched_y)


def _visits(matched, unmatched):
    """Return a function from features to how often walks from each pair come near the item.

    s = sqrt(visits / their mean over all items), centred: the pairs are the coordinates.
    """
    import scipy.sparse
    from sklearn.neighbors import NearestNeighbors

    mean, scale = standardized(matched, unmatched)
    rows = (np.concatenate([matched, unmatched]) - mean) / scale
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(rows) - 1)).fit(rows)
    graph = near.kneighbors_graph()
    graph = graph.maximum(graph.T)
    steps = scipy.sparse.diags_array(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph
    start = np.eye(len(rows), len(matched))
    visits = start
    for _ in range(STEPS):
        visits = (1 - RESTART) * (steps @ visits) + RESTART * start
    visits = np.sqrt(visits / visits.mean(axis=0))
    visits -= visits.mean(axis=0)

    def embed(new):
        return visits[near.kneighbors((new - mean) / scale, return_distance=False)].mean(axis=1)

    return embed
