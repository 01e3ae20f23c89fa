"""Align two modalities from a few matched pairs: Gentle-CLIP (Set-CLIP, arXiv 2406.05766) in JAX.

Importing this package loads jax and nothing heavier, and touches no device.
"""

from gentle_clip_jax import losses as losses

__version__ = "0.1.0"
