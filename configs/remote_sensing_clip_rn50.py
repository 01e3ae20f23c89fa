"""The same with all of CLIP's RN50 trained, as S-CLIP does (arXiv 2305.14095); needs a GPU."""

from configs import remote_sensing


def get_config():
    """CLIP's two towers, from Hugging Face or a folder, in the space that they share already."""
    config = remote_sensing.get_config()
    config.data.size = 224
    config.data.max_tokens = 77
    config.model.image.update(encoder="timm/resnet50_clip.openai", trained_blocks=-1)
    config.model.text.update(encoder="timm/resnet50_clip.openai", trained_blocks=-1)
    config.model.start = "identity"
    config.model.embedding_dim = 1024
    config.loss.temperature = 0.01  # where CLIP's training ended
    config.optimizer.update(tower_rate=5e-5, head_rate=1e-4)
    config.train.update(steps=200, batch_matched=64, batch_unmatched=64)
    return config
