"""Photographs and captions: Flickr8k, EfficientNet-Lite0 and MiniLM features."""


def get_config(base):
    """Retrieval on Flickr8k, zero-shot on parts of Caltech-101 and CIFAR-10."""
    config = base("compare")
    config.title = "General vision-language, frozen features"
    config.train = ("flickr8k",)
    config.zero_shot = ("caltech101-test-subset:", "cifar10-test-subset:")
    return config
