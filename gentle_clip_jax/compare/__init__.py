"""Aligners side by side on frozen features: which one to use, for how many pairs."""

from gentle_clip_jax.aligners import METHODS as METHODS
from gentle_clip_jax.compare.runs import Plan as Plan
from gentle_clip_jax.compare.runs import compare as compare
from gentle_clip_jax.compare.sources import compare_config as compare_config
from gentle_clip_jax.compare.sources import compare_files as compare_files
