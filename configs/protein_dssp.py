"""Protein domains, sequence with a string of DSSP states: a tenth of the training domains pairs."""

from gentle_clip_jax.configs import default


def get_config():
    """scope-seq-ss; config.data.folder may name enzyme-reaction-ec as well."""
    config = default.get_config("proteins")
    config.data.folder = "data/scope-seq-ss"
    return config
