"""The parts of every page: a layout, one stylesheet, colours, plots, and the next steps."""

from gentle_clip_jax.pages.render import ASSETS, Step, render, style, write

__all__ = ["ASSETS", "Step", "render", "style", "write"]
