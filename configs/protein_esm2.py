"""Protein domains, sequence with structure, through ESM-2 with 8 million parameters."""


def get_config(base):
    """Low-rank updates of ESM-2; needs a network, or config.model.language.encoder=FOLDER."""
    config = base("protein")
    config.model.language.encoder = "facebook/esm2_t6_8M_UR50D"
    config.model.language.lora_rank = 4
    return config
