"""Protein domains, sequence with structure: a tenth of the training domains are pairs."""


def get_config(base):
    """Towers that work residue by residue; Gentle-CLIP's terms on summaries of whole domains."""
    return base("proteins")
