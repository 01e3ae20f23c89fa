"""Icon search with the losses and weights of the paper's public demo.

The weight of its density term was set for batches of 64: the term grows with the batch, and the
stable form of the default does not.
"""


def get_config(base):
    """The defaults with the demo's forms, weights and fixed temperature."""
    config = base("icons")
    config.objective = "gentle_clip_official"
    config.loss.clip_weight = 1.0
    config.loss.mmd_weight = 0.2
    config.loss.sdd_weight = 0.7
    config.loss.ssl_weight = 0.15
    config.loss.ssl_temperature = 0.05
    config.loss.temperature = 0.05
    config.loss.learn_temperature = False
    return config
