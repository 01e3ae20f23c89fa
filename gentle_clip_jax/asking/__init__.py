"""Which items a person should describe next, and a sheet to do it on."""

from gentle_clip_jax.asking.choose import ask as ask
from gentle_clip_jax.asking.sheet import ask_files as ask_files
