"""Protein domains, sequence with structure: a tenth of the training domains are pairs."""

from gentle_clip_jax.configs import default


def get_config():
    """Towers that work residue by residue; Gentle-CLIP's terms on summaries of whole domains."""
    return default.get_config("proteins")
