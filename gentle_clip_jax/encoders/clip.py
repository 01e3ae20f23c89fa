"""CLIP's two towers, each with its projection into the space that they share."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.pre_norm import (
    block_layers,
    checked_activation,
    normed,
    parameter_names,
    standardized,
    through_blocks,
)

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_BOTH = r"logit_scale|logit_bias|.*position_ids|.*\.num_batches_tracked"
# Of a published checkpoint, what each tower leaves: above all the other one.
UNUSED = {
    "image": rf"text_model\..*|text_projection\..*|{_BOTH}",
    "text": rf"vision_model\..*|visual_projection\..*|{_BOTH}",
}


class ImageTransformer(nn.Module):
    """Images [b, image_size, image_size, 3], 0 to 255 -> float32 features [b, dim], projected.

    `mean` and `std` are of pixels in [0, 1]. The defaults are those of ViT-B/32. Attention itself
    has no dropout. Rows are not of unit length.

    Source: Radford et al., arXiv 2103.00020, section 2.4 and table 20.
    """

    image_size: int = 224
    patch_size: int = 32
    width: int = 768
    depth: int = 12
    num_heads: int = 12
    hidden: int = 3072
    dim: int = 512
    activation: str = "quick_gelu"
    epsilon: float = 1e-5
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        x = standardized(images, self.image_size, self.mean, self.std).astype(self.dtype)
        size = (self.patch_size, self.patch_size)
        patches = nn.Conv(
            self.width, size, size, "VALID", use_bias=False, dtype=self.dtype, name="patches"
        )
        x = patches(x).reshape(x.shape[0], -1, self.width)
        token = self.param("class_token", nn.initializers.normal(0.02), (self.width,), jnp.float32)
        token = jnp.broadcast_to(token.astype(self.dtype), (x.shape[0], 1, self.width))
        x = jnp.concatenate([token, x], axis=1)
        position = self.param("position", nn.initializers.normal(0.02), x.shape[1:], jnp.float32)
        x = normed(self.epsilon, "embedding_norm", x + position[None].astype(self.dtype))
        x = through_blocks(self, x.astype(self.dtype), causal=False, train=train)
        x = normed(self.epsilon, "final_norm", x[:, 0])
        return nn.Dense(self.dim, use_bias=False, name="projection")(x)


class TextTransformer(nn.Module):
    """Token ids [b, t] int, t <= max_tokens -> float32 features [b, dim], projected.

    A token sees those before it alone. The features are those of a row's first `end_id`, or, where
    it is None, of the first of its highest ids; so what follows, the padding, has no effect. Rows
    are not of unit length. Attention itself has no dropout. The defaults are those beside ViT-B/32.

    Source: Radford et al., arXiv 2103.00020, section 2.4 and table 20.
    """

    vocab_size: int = 49408
    max_tokens: int = 77
    width: int = 512
    depth: int = 12
    num_heads: int = 8
    hidden: int = 2048
    dim: int = 512
    activation: str = "quick_gelu"
    epsilon: float = 1e-5
    end_id: int | None = 49407
    pad_id: int = 0
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Array, *, train: bool = False) -> Array:
        length = tokens.shape[1]
        if length > self.max_tokens:
            raise ValueError(
                f"Texts of {length} tokens are longer than the {self.max_tokens} that this encoder "
                "was made for: cut them, but keep the token of their end."
            )
        x = nn.Embed(self.vocab_size, self.width, name="words")(tokens)
        shape = (self.max_tokens, self.width)
        position = self.param("position", nn.initializers.normal(0.01), shape, jnp.float32)
        x = (x + position[None, :length]).astype(self.dtype)
        x = through_blocks(self, x, causal=True, train=train)
        x = normed(self.epsilon, "final_norm", x)
        end = (tokens if self.end_id is None else tokens == self.end_id).argmax(axis=1)
        x = jnp.take_along_axis(x, end[:, None, None], axis=1)[:, 0]
        return nn.Dense(self.dim, use_bias=False, name="projection")(x)


def from_config(config: Mapping[str, Any]) -> tuple[ImageTransformer, TextTransformer]:
    """Return the towers of images and of texts that a CLIPModel's config.json describes.

    Raises:
      ValueError: it is of another architecture.
    """
    if config.get("model_type") != "clip":
        raise ValueError(f"A model of the type {config.get('model_type')} is no CLIP.")
    # Where both are there, those called _dict are what the model was made of.
    vision, text = (
        (config.get(f"{part}_config") or {}) | (config.get(f"{part}_config_dict") or {})
        for part in ("vision", "text")
    )
    dim = config.get("projection_dim", 512)
    return _image_tower(vision, dim), _text_tower(text, dim)


def _image_tower(config: Mapping[str, Any], dim: int) -> ImageTransformer:
    return ImageTransformer(
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 32),
        width=config.get("hidden_size", 768),
        depth=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        hidden=config.get("intermediate_size", 3072),
        dim=dim,
        activation=checked_activation(config.get("hidden_act", "quick_gelu")),
        epsilon=config.get("layer_norm_eps", 1e-5),
    )


def _text_tower(config: Mapping[str, Any], dim: int) -> TextTransformer:
    # 2 was written into configs by mistake: with it transformers takes the highest id.
    end_id = config.get("eos_token_id", 49407)
    return TextTransformer(
        vocab_size=config.get("vocab_size", 49408),
        max_tokens=config.get("max_position_embeddings", 77),
        width=config.get("hidden_size", 512),
        depth=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 8),
        hidden=config.get("intermediate_size", 2048),
        dim=dim,
        activation=checked_activation(config.get("hidden_act", "quick_gelu")),
        epsilon=config.get("layer_norm_eps", 1e-5),
        end_id=None if end_id == 2 else end_id,
    )


def checkpoint_names(model: ImageTransformer | TextTransformer) -> dict[str, str]:
    """Map the names of the parameters to names in a CLIPModel's checkpoint."""
    tower, projection = "text_model", "text_projection"
    layers = {"final_norm": f"{tower}.final_layer_norm"}
    alone = {"words/embedding": "token_embedding.weight"}
    if isinstance(model, ImageTransformer):
        tower, projection = "vision_model", "visual_projection"
        # The missing e is theirs.
        layers = {
            "embedding_norm": f"{tower}.pre_layrnorm",
            "final_norm": f"{tower}.post_layernorm",
        }
        alone = {"class_token": "class_embedding", "patches/kernel": "patch_embedding.weight"}
    alone["position"] = "position_embedding.weight"
    for i in range(model.depth):
        layers |= block_layers(f"block_{i}", f"{tower}.encoder.layers.{i}")
    names = {ours: f"{tower}.embeddings.{theirs}" for ours, theirs in alone.items()}
    return names | parameter_names(layers) | {"projection/kernel": f"{projection}.weight"}
