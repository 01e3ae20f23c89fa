"""Aerial images and captions: RSICD and UCM-Captions, a tenth of them pairs (S-CLIP's protocol)."""

from configs import default


def get_config():
    """EfficientNet-Lite0 and MiniLM, the last blocks trained; zero-shot on four sets."""
    config = default.get_config("captioned_images")
    config.data.sets = ("rsicd", "ucm-captions")
    config.data.zero_shot = ("rsicd:test", "ucm-captions:test", "rsscn7:", "eurosat-rgb-test:")
    config.data.excluded_labels = ("playfields",)
    config.data.prompt = "an aerial photograph of {label}"
    config.views.image.turn = 0.75  # from above there is no upright
    return config
