"""Aerial images and captions: RSICD and UCM-Captions, a tenth of them pairs (S-CLIP's protocol)."""


def get_config(base):
    """EfficientNet-Lite0 and MiniLM, the last blocks trained; zero-shot on four sets."""
    config = base("captioned_images")
    config.data.sets = ("rsicd", "ucm-captions")
    config.data.zero_shot = ("rsicd:test", "ucm-captions:test", "rsscn7:", "eurosat-rgb-test:")
    config.data.excluded_labels = ("playfields",)
    config.data.prompt = "an aerial photograph of {label}"
    config.views.image.turn = 0.75  # from above there is no upright
    # Minutes on two cores of a CPU. One caption in two hundred has more tokens.
    config.data.max_tokens = 24
    config.optimizer.update(tower_learning_rate=3e-4, head_learning_rate=3e-4)
    config.train.update(steps=80, batch_matched=32, batch_unmatched=32)
    config.train.update(average_decay=0.9, checkpoint_every=40)
    return config
