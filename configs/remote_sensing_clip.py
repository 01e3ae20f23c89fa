"""The same with both towers of CLIP trained, as S-CLIP does (arXiv 2305.14095); needs a GPU."""


def get_config(base):
    """CLIP's ViT-B/32, from Hugging Face or a folder, in the space of its two towers."""
    config = base("captioned_images")
    small = base("remote_sensing")
    config.data.update(small.data, size=224, max_tokens=77)
    config.views.image.turn = small.views.image.turn
    config.model.image.update(encoder="openai/clip-vit-base-patch32", trained_blocks=-1)
    config.model.text.update(encoder="openai/clip-vit-base-patch32", trained_blocks=-1)
    config.model.start = "identity"
    config.model.embedding_dim = 512
    config.loss.temperature = 0.01  # where CLIP's training ended
    config.optimizer.tower_learning_rate = 5e-5
    return config
