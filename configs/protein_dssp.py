"""Protein domains, sequence with a string of DSSP states: a tenth of the training domains pairs."""


def get_config(base):
    """scope-seq-ss; config.data.folder may name enzyme-reaction-ec as well."""
    config = base("proteins")
    config.data.folder = "data/scope-seq-ss"
    return config
