"""Photographs and captions: Flickr8k, a third of it pairs, as in the public demo of the paper."""


def get_config(base):
    """EfficientNet-Lite0 and MiniLM, the last blocks trained; zero-shot on two sets."""
    config = base("captioned_images")
    config.data.sets = ("flickr8k",)
    config.data.zero_shot = ("caltech101-test-subset:", "cifar10-test-subset:")
    config.data.matched_fraction = 1 / 3
    # Minutes on two cores of a CPU. Two captions in a hundred have more tokens.
    config.data.max_tokens = 24
    config.train.update(steps=80, batch_matched=32, batch_unmatched=32)
    config.train.update(average_decay=0.9, checkpoint_every=40)
    return config
