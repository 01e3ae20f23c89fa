"""Align two modalities from a few matched pairs: Gentle-CLIP (Set-CLIP, arXiv 2406.05766) in JAX.

Importing this package loads nothing and touches no device: the names below load what they need
when they are first used, `losses` jax alone. So `gentle-clip --help` answers at once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gentle_clip_jax import losses
    from gentle_clip_jax.aligners import Aligner, Problem, load
    from gentle_clip_jax.aligners.from_collections import align
    from gentle_clip_jax.asking import ask
    from gentle_clip_jax.comparing import compare
    from gentle_clip_jax.diagnosing import diagnose
    from gentle_clip_jax.exporting import export
    from gentle_clip_jax.features.collection import Collection
    from gentle_clip_jax.features.encode import encode
    from gentle_clip_jax.features.loading import load_encoder
    from gentle_clip_jax.features.read import read
    from gentle_clip_jax.matching import calibrate, match
    from gentle_clip_jax.reviewing import review
    from gentle_clip_jax.searching.embed import embed
    from gentle_clip_jax.searching.hits import search
    from gentle_clip_jax.tasks.config import load_config
    from gentle_clip_jax.training.loop import train
    from gentle_clip_jax.training.restored import restore

    __version__: str

__all__ = [
    "Aligner",
    "Collection",
    "Problem",
    "align",
    "ask",
    "calibrate",
    "compare",
    "diagnose",
    "embed",
    "encode",
    "export",
    "load",
    "load_config",
    "load_encoder",
    "losses",
    "match",
    "read",
    "restore",
    "review",
    "search",
    "train",
]


def __getattr__(name: str) -> object:
    match name:
        case "Aligner" | "Problem" | "load":
            from gentle_clip_jax import aligners as home
        case "align":
            from gentle_clip_jax.aligners import from_collections as home
        case "ask":
            from gentle_clip_jax import asking as home
        case "Collection":
            from gentle_clip_jax.features import collection as home
        case "compare":
            from gentle_clip_jax import comparing as home
        case "diagnose":
            from gentle_clip_jax import diagnosing as home
        case "embed":
            from gentle_clip_jax.searching import embed as home
        case "encode":
            from gentle_clip_jax.features import encode as home
        case "export":
            from gentle_clip_jax import exporting as home
        case "losses":
            import importlib  # `from gentle_clip_jax import losses` would come back here

            return importlib.import_module("gentle_clip_jax.losses")
        case "load_config":
            from gentle_clip_jax.tasks import config as home
        case "load_encoder":
            from gentle_clip_jax.features import loading as home
        case "calibrate" | "match":
            from gentle_clip_jax import matching as home
        case "read":
            from gentle_clip_jax.features import read as home
        case "restore":
            from gentle_clip_jax.training import restored as home
        case "review":
            from gentle_clip_jax import reviewing as home
        case "search":
            from gentle_clip_jax.searching import hits as home
        case "train":
            from gentle_clip_jax.training import loop as home
        case "__version__":
            import importlib.metadata

            return importlib.metadata.version("gentle-clip-jax")
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
