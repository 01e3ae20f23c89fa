"""Aerial images and captions: RSICD and UCM-Captions, EfficientNet-Lite0 and MiniLM features."""

from gentle_clip_jax.configs import compare


def get_config():
    """Retrieval on RSICD and UCM, zero-shot on RSICD, UCM, RSSCN7 and EuroSAT."""
    config = compare.get_config()
    config.title = "Remote sensing, frozen features"
    config.train = ("rsicd", "ucm-captions")
    config.zero_shot = ("rsicd:test", "ucm-captions:test", "rsscn7:", "eurosat-rgb-test:")
    config.excluded_labels = ("playfields",)
    return config
