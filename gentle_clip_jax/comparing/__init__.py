"""Comparison of aligners on frozen features, at several numbers of pairs."""

from gentle_clip_jax.aligners import METHODS as METHODS
from gentle_clip_jax.comparing.runs import Plan as Plan
from gentle_clip_jax.comparing.runs import compare_pool as compare_pool
from gentle_clip_jax.comparing.sources import compare as compare
