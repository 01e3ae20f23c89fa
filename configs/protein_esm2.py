"""Protein domains, sequence with structure, through ESM-2 with 8 million parameters."""

from gentle_clip_jax.configs import protein


def get_config():
    """Low-rank updates of ESM-2; needs a network, or config.model.language.encoder=FOLDER."""
    config = protein.get_config()
    config.model.language.encoder = "facebook/esm2_t6_8M_UR50D"
    config.model.language.lora_rank = 4
    return config
