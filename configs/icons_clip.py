"""Icon search with CLIP on the matched pairs alone: the same towers, the same steps."""


def get_config(base):
    """The defaults without the unmatched items and the terms that use them."""
    config = base("icons")
    config.loss.mmd_weight = 0.0
    config.loss.sdd_weight = 0.0
    config.loss.ssl_weight = 0.0
    config.train.batch_unmatched = 0
    return config
