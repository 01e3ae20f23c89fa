"""Comparison of methods on held-out pairs of two collections."""

from gentle_clip_jax.comparing.comparison import Comparison as Comparison
from gentle_clip_jax.comparing.evaluated import compare as compare
