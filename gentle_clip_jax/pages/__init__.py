"""What every page is made of: a layout, one stylesheet, colours, plots, and what to do next."""

from gentle_clip_jax.pages.render import ASSETS, Step, render, style, write

__all__ = ["ASSETS", "Step", "render", "style", "write"]
