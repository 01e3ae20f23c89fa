"""Choice of the items to label next, and a sheet to fill in."""

from gentle_clip_jax.asking.sheet import Sheet as Sheet
from gentle_clip_jax.asking.sheet import ask as ask
