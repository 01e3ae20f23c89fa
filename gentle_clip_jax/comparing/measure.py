"""Scores of an aligner, item by item, so that two can be compared on the same items."""

import functools
from collections.abc import Mapping

import numpy as np

from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.comparing.pool import Pool, Retrieval, ZeroShot
from gentle_clip_jax.evaluation.neighbours import foscttm, label_transfer
from gentle_clip_jax.evaluation.retrieval import ranks

MAIN = ("zero_shot", "i2t", "t2i")
Scores = dict[str, np.ndarray]  # from "metric/set" to the score of every item of the set, 0 to 1


def score(aligner: Aligner, pool: Pool, *, drawn: bool = False) -> Scores:
    """Score all test items: a query by the mean of R@1, R@5 and R@10, an image by its class.

    i2t: a caption that reads like one of the image's own is no miss; i2t_strict: it is.
    t2i: only the caption's own image is a hit; t2i_equal: so is one that has the same caption.
    Where rows have labels, one_minus_foscttm: of an item the fraction of samples no closer than its
    true match; label_transfer: of a row of y, 1 if the nearest rows of x vote for its label.
    drawn: rank smoothed galleries; images to classify are smoothed too.
    """
    scores: Scores = {}
    for name, one in pool.zero_shot.items():
        scores[f"zero_shot/{name}"] = _classify(aligner, one, drawn)
    for name, one in pool.retrieval.items():
        by_metric = _retrieve(aligner, one, drawn)
        if one.labels is not None:
            by_metric |= _integrated(aligner, one, one.labels)
        scores |= {f"{metric}/{name}": values for metric, values in by_metric.items()}
    return scores


def summarize(scores: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the mean of each set, and of each metric over its sets."""
    sets = {name: float(np.mean(values)) for name, values in scores.items()}
    metrics = dict.fromkeys(name.partition("/")[0] for name in sets)
    means = {
        metric: float(np.mean([sets[name] for name in sets if name.startswith(f"{metric}/")]))
        for metric in metrics
    }
    return means | sets


def difference(
    ours: list[Scores], theirs: list[Scores], metric: str, *, num_resamples: int = 1000
) -> dict[str, float]:
    """Return the mean difference of a metric, ours minus theirs, with a bootstrap 95 % interval.

    The runs of both are averaged over seeds; items are resampled within each set.
    """
    rng, values, draws = np.random.default_rng(0), [], []
    for name in ours[0]:
        if name.partition("/")[0] == metric:
            gap = np.mean([a[name] - b[name] for a, b in zip(ours, theirs)], axis=0)
            counts = rng.multinomial(len(gap), np.full(len(gap), 1 / len(gap)), size=num_resamples)
            values.append(gap.mean())
            draws.append(counts @ gap / len(gap))
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    return {"value": float(np.mean(values)), "low": float(low), "high": float(high)}


def _classify(aligner: Aligner, one: ZeroShot, smooth: bool) -> np.ndarray:
    images, classes = aligner.embed_x(one.x), aligner.embed_y(one.classes)
    images = aligner.smooth_gallery_x(images) if smooth else images
    rank = ranks(images, classes, query_ids=one.labels, gallery_ids=np.arange(len(classes)))
    return (rank == 1).astype(np.float32)


def _retrieve(aligner: Aligner, one: Retrieval, smooth: bool) -> Scores:
    x, y = (np.asarray(rows) for rows in (aligner.embed_x(one.x), aligner.embed_y(one.y)))
    ranked_x, ranked_y = x, y
    if smooth:
        ranked_x, ranked_y = (
            np.asarray(aligner.smooth_gallery_x(x)),
            np.asarray(aligner.smooth_gallery_y(y)),
        )
    # Rows without a partner are wrong answers, but no queries.
    of_x, of_y = np.isin(one.x_ids, one.y_ids), np.isin(one.y_ids, one.x_ids)
    to_y = functools.partial(
        ranks, x[of_x], ranked_y, query_ids=one.x_ids[of_x], gallery_ids=one.y_ids
    )
    strict = to_y()
    back = ranks(y[of_y], ranked_x, query_ids=one.y_ids[of_y], gallery_ids=one.x_ids)
    scores = {
        "i2t": _mean_of(_recall(strict), one.x_ids[of_x]),
        "t2i": _mean_of(_recall(back), one.y_ids[of_y]),
    }
    if one.texts is None:
        return scores
    # The best image among those that share a caption ranks as if the others were not there.
    same = np.unique(one.texts[of_y], return_inverse=True)[1]
    best = np.full(same.max() + 1, len(x))
    np.minimum.at(best, same, back)
    return {
        "i2t": _mean_of(_recall(to_y(forgive_ties=True)), one.x_ids[of_x]),
        "t2i": scores["t2i"],
        "i2t_strict": scores["i2t"],
        "t2i_equal": _mean_of(_recall(best[same]), one.y_ids[of_y]),
    }


def _integrated(aligner: Aligner, one: Retrieval, labels: tuple[np.ndarray, np.ndarray]) -> Scores:
    """Score single-cell integration: by the first rows of paired items, and by labels."""
    x, y = (np.asarray(rows) for rows in (aligner.embed_x(one.x), aligner.embed_y(one.y)))
    _, of_x, of_y = np.intersect1d(one.x_ids, one.y_ids, return_indices=True)
    scores = {"one_minus_foscttm": 1 - foscttm(x[of_x], y[of_y])}
    labelled_x, labelled_y = (kinds != "" for kinds in labels)
    if labelled_x.any() and labelled_y.any():
        kinds = labels[0][labelled_x], labels[1][labelled_y]
        scores["label_transfer"] = label_transfer(x[labelled_x], y[labelled_y], *kinds)
    return scores


def _recall(rank: np.ndarray) -> np.ndarray:
    return np.stack([rank <= k for k in (1, 5, 10)]).astype(np.float32).mean(axis=0)


def _mean_of(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Average over the rows of each item, so that resampling is by item."""
    item = np.unique(ids, return_inverse=True)[1]
    return (np.bincount(item, values) / np.bincount(item)).astype(np.float32)
