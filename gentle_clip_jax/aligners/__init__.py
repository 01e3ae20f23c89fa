"""Aligners: maps into one space, fitted to a few pairs and many unmatched items."""

from gentle_clip_jax.aligners.aligner import Aligner as Aligner
from gentle_clip_jax.aligners.aligner import load as load
from gentle_clip_jax.aligners.fit import align as align
from gentle_clip_jax.aligners.methods import METHODS as METHODS
from gentle_clip_jax.aligners.problem import Problem as Problem
