"""Evaluation measures of two embedded modalities, each a dictionary {"name": value}.

Notation: image [n, d] and text [m, d] are embeddings; an id names the item of a row, so a query
has as many right answers as the other modality has rows of its id. The functions that end in
_intervals return {"name": {"value", "low", "high"}} with bootstrap 95 % intervals.

The names below load what they need when they are first used: a search needs no JAX.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gentle_clip_jax.evaluation.alignment import alignment_metrics, modality_gap
    from gentle_clip_jax.evaluation.intervals import bootstrap_intervals
    from gentle_clip_jax.evaluation.over_sets import by_set, mean_intervals, means
    from gentle_clip_jax.evaluation.retrieval import ranks, retrieval_intervals, retrieval_metrics
    from gentle_clip_jax.evaluation.zero_shot import zero_shot_intervals, zero_shot_metrics

__all__ = [
    "alignment_metrics",
    "bootstrap_intervals",
    "by_set",
    "mean_intervals",
    "means",
    "modality_gap",
    "ranks",
    "retrieval_intervals",
    "retrieval_metrics",
    "zero_shot_intervals",
    "zero_shot_metrics",
]


def __getattr__(name: str) -> object:
    match name:
        case "alignment_metrics" | "modality_gap":
            from gentle_clip_jax.evaluation import alignment as home
        case "bootstrap_intervals":
            from gentle_clip_jax.evaluation import intervals as home
        case "by_set" | "mean_intervals" | "means":
            from gentle_clip_jax.evaluation import over_sets as home
        case "ranks" | "retrieval_intervals" | "retrieval_metrics":
            from gentle_clip_jax.evaluation import retrieval as home
        case "zero_shot_intervals" | "zero_shot_metrics":
            from gentle_clip_jax.evaluation import zero_shot as home
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home, name)
