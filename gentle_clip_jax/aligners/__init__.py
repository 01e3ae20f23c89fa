"""Aligners: maps into one space, fitted to a few pairs and many unmatched items.

The names below load JAX when they are first used; `loading.read` does without.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gentle_clip_jax.aligners.aligner import Aligner
    from gentle_clip_jax.aligners.fit import align
    from gentle_clip_jax.aligners.loading import load
    from gentle_clip_jax.aligners.methods import METHODS
    from gentle_clip_jax.aligners.problem import Problem

__all__ = ["METHODS", "Aligner", "Problem", "align", "load"]


def __getattr__(name: str) -> object:
    match name:
        case "Aligner":
            from gentle_clip_jax.aligners import aligner as home
        case "align":
            from gentle_clip_jax.aligners import fit as home
        case "load":
            from gentle_clip_jax.aligners import loading as home
        case "METHODS":
            from gentle_clip_jax.aligners import methods as home
        case "Problem":
            from gentle_clip_jax.aligners import problem as home
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home, name)
