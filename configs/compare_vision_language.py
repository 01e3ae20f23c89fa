"""Photographs and captions: Flickr8k, EfficientNet-Lite0 and MiniLM features."""

from gentle_clip_jax.configs import compare


def get_config():
    """Retrieval on Flickr8k, zero-shot on parts of Caltech-101 and CIFAR-10."""
    config = compare.get_config()
    config.title = "General vision-language, frozen features"
    config.train = ("flickr8k",)
    config.zero_shot = ("caltech101-test-subset:", "cifar10-test-subset:")
    return config
