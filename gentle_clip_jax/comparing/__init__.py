"""Aligners side by side on frozen features: which one to use, for how many pairs."""

from gentle_clip_jax.aligners import METHODS as METHODS
from gentle_clip_jax.comparing.runs import Plan as Plan
from gentle_clip_jax.comparing.runs import compare_pool as compare_pool
from gentle_clip_jax.comparing.sources import compare as compare
from gentle_clip_jax.comparing.sources import compare_config as compare_config
