"""Choice of the items to label next, and a sheet to fill in."""

from gentle_clip_jax.asking.choose import ask as ask
from gentle_clip_jax.asking.sheet import ask_files as ask_files
