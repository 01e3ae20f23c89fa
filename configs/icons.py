"""Icon search from 10 % matched pairs: the quickstart."""

from gentle_clip_jax.configs import default


def get_config():
    """The defaults are the quickstart."""
    return default.get_config()
