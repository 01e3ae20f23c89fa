"""Aerial images and captions: RSICD and UCM-Captions, EfficientNet-Lite0 and MiniLM features."""


def get_config(base):
    """Retrieval on RSICD and UCM, zero-shot on RSICD, UCM, RSSCN7 and EuroSAT."""
    config = base("compare")
    config.title = "Remote sensing, frozen features"
    config.train = ("rsicd", "ucm-captions")
    config.zero_shot = ("rsicd:test", "ucm-captions:test", "rsscn7:", "eurosat-rgb-test:")
    config.excluded_labels = ("playfields",)
    return config
