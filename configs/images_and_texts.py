"""Images and texts of your own from two places, and a file of the few pairs that are known."""


def get_config(base):
    """EfficientNet-Lite0 and MiniLM, the last blocks trained."""
    config = base("captioned_images")
    config.data.images = "images"
    config.data.texts = "texts.csv"
    config.data.pairs = "pairs.csv"
    # Minutes on two cores of a CPU.
    config.train.update(steps=80, batch_matched=16, batch_unmatched=32)
    config.train.update(average_decay=0.9, checkpoint_every=40)
    return config
