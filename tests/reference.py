"""The losses once more, slowly: float64 NumPy, one row and one pair at a time, no masks.

Written from the formulas, not from the package: the two may only agree by both being right.
"""

import math

import numpy as np


def clip_loss(x, y, temperature, unmatched_x=(), unmatched_y=()):
    """InfoNCE, both ways, over the matched and the unmatched rows of the other modality."""
    total = 0.0
    for i in range(len(x)):
        total += _surprise(x[i], [*y, *unmatched_y], i, temperature)
        total += _surprise(y[i], [*x, *unmatched_x], i, temperature)
    return total / (2 * len(x))


def sigmoid_loss(x, y, temperature, bias, unmatched_x=(), unmatched_y=()):
    """A logistic loss per pair: one positive per row, all else negative."""
    pairs = [(x[i], y[j], 1 if i == j else -1) for i in range(len(x)) for j in range(len(y))]
    pairs += [(a, b, -1) for a in x for b in unmatched_y]
    pairs += [(a, b, -1) for a in unmatched_x for b in y]
    margins = [sign * (a @ b / temperature + bias) for a, b, sign in pairs]
    return sum(np.logaddexp(0, -margin) for margin in margins) / len(x)


def nt_xent_loss(x, x_view, temperature):
    """Each view finds the other among all other rows."""
    total = 0.0
    for i in range(len(x)):
        rest = [z for j in range(len(x)) if j != i for z in (x[j], x_view[j])]
        total += _surprise(x[i], [x_view[i], *rest], 0, temperature)
        total += _surprise(x_view[i], [x[i], *rest], 0, temperature)
    return total / (2 * len(x))


def bandwidth_ladder(x, y, num=5, ratio=2.0):
    """A ladder around the mean squared distance between distinct rows of both sets."""
    rows = [*x, *y]
    distances = [_squared(a, b) for i, a in enumerate(rows) for b in rows[:i]]
    middle = np.mean(distances) + 2 * _floor(rows)
    return np.array([middle * ratio ** (k - (num - 1) / 2) for k in range(num)])


def multi_kernel_mmd(x, y, squared_bandwidths=None):
    """The U-statistic: pairs of distinct rows within, all pairs between."""
    widths = bandwidth_ladder(x, y) if squared_bandwidths is None else squared_bandwidths

    def kernel(a, b):
        return np.mean([math.exp(-_squared(a, b) / (2 * width)) for width in widths])

    def within(z):
        return np.mean([kernel(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j])

    return within(x) + within(y) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def kernel_density(query, data, bandwidth=0.5):
    """The mean kernel of each query over the data."""
    scale = 4 * bandwidth**2 * (np.var(data, axis=0, ddof=1).sum() + _floor(data))
    return np.array([np.mean([math.exp(-_squared(q, a) / scale) for a in data]) for q in query])


def semantic_density_loss(x, y, bandwidth=0.5, item_x=None, item_y=None):
    """The stable SDD, its bias from the sample variance of the kernels."""
    item_x = np.arange(len(x)) if item_x is None else item_x
    item_y = len(x) + np.arange(len(y)) if item_y is None else item_y
    variance_x, variance_y = (
        np.var(z, axis=0, ddof=1).sum() + _floor([*x, *y]) if len(z) > 1 else _floor([*x, *y])
        for z in (x, y)
    )
    scale = 2 * bandwidth**2 * (variance_x + variance_y)

    def kernels(query, item, data, items):
        return [math.exp(-_squared(query, a) / scale) for a, i in zip(data, items) if i != item]

    def divergence(queries, items):
        values = []
        for query, item in zip(queries, items):
            in_x, in_y = kernels(query, item, x, item_x), kernels(query, item, y, item_y)
            if in_x and in_y:
                p, q = np.mean(in_x), np.mean(in_y)
                noise = (p + q) / 2 * (_squared_error(in_x) + _squared_error(in_y))
                values.append((p - q) * math.log(p / q) - noise)
        return np.mean(values) if values else 0.0

    spans = 1 / (12 * variance_x) + 1 / (12 * variance_y)
    return (divergence(x, item_x) + divergence(y, item_y)) * spans


def gentle_clip_loss(
    x, y, num_matched, temperature, x_view, y_view, weights, ssl_temperature=0.05, candidates=False
):
    """The weighted sum of the four terms; weights = (clip, mmd, sdd, ssl)."""
    s = num_matched
    unmatched = (x[s:], y[s:]) if candidates else ()
    terms = (
        clip_loss(x[:s], y[:s], temperature, *unmatched),
        multi_kernel_mmd(x, y),
        semantic_density_loss(x, y),
        nt_xent_loss(x, x_view, ssl_temperature) + nt_xent_loss(y, y_view, ssl_temperature),
    )
    return sum(weight * term for weight, term in zip(weights, terms))


def cauchy_schwarz_divergence(x, y, squared_bandwidth=None):
    """Logarithms of mean kernels: distinct rows within the sets, all pairs between them."""
    width = bandwidth_ladder(x, y, num=1)[0] if squared_bandwidth is None else squared_bandwidth

    def log_mean(pairs):
        return np.logaddexp.reduce([-_squared(a, b) / (2 * width) for a, b in pairs]) - math.log(
            len(pairs)
        )

    within = [[(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j] for z in (x, y)]
    return sum(map(log_mean, within)) - 2 * log_mean([(a, b) for a in x for b in y])


def transport_plan(x, y, epsilon, iterations=100):
    """Sinkhorn's algorithm on the plan itself: columns, then rows, to their sums."""
    plan = np.exp(np.array([[a @ b - 1 for b in y] for a in x]) / epsilon)
    for _ in range(iterations):
        plan = plan / plan.sum(axis=0, keepdims=True) / len(y)
        plan = plan / plan.sum(axis=1, keepdims=True) / len(x)
    return plan


def plan_matching_loss(x, y, target, epsilon, iterations=100):
    """The divergence of the plan between x and y from the target."""
    plan = transport_plan(x, y, epsilon, iterations)
    return sum(t * math.log(t / p) for t, p in zip(target.ravel(), plan.ravel()) if t > 0)


def hard_labels(query, support):
    """One-hot rows of the nearest support."""
    return np.array([np.arange(len(support)) == np.argmax(support @ q) for q in query], float)


def pseudo_label_loss(query, partners, labels, temperature):
    """Half the mean cross-entropy of each query's distribution over the partners."""
    total = 0.0
    for q, row in zip(query, labels):
        total += sum(
            label * _surprise(q, partners, j, temperature) for j, label in enumerate(row) if label
        )
    return total / (2 * len(query))


def keyword_loss(query, keywords, candidates, temperature):
    """Labels in proportion to what is positive among the candidates' similarities."""
    labels = np.zeros((len(query), len(keywords)))
    for i, q in enumerate(query):
        weights = np.array([max(q @ k, 0) if c else 0 for k, c in zip(keywords, candidates[i])])
        weights = weights if weights.sum() else candidates[i].astype(float)
        labels[i] = weights / weights.sum() if weights.sum() else 0
    return pseudo_label_loss(query, keywords, labels, temperature)


def _surprise(query, candidates, target, temperature):
    """-log softmax of the target among the candidates."""
    logits = np.array([query @ c / temperature for c in candidates])
    return np.logaddexp.reduce(logits) - logits[target]


def _squared(a, b):
    return float(np.sum((a - b) ** 2))


def _floor(rows):
    return 1e-4 * np.mean([np.sum(row**2) for row in rows]) + 1e-15


def _squared_error(kernels):
    """Squared standard error of the mean, relative to the mean."""
    if len(kernels) < 2:
        return 0.0
    return np.var(kernels, ddof=1) / len(kernels) / np.mean(kernels) ** 2
