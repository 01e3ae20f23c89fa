"""SigLIP's two towers; both end in the space that they share."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.pre_norm import (
    Attention,
    Mlp,
    block_layers,
    checked_activation,
    normed,
    parameter_names,
    standardized,
    through_blocks,
)

_BOTH = r"logit_scale|logit_bias|.*position_ids"
# Of a published checkpoint, what each tower leaves: above all the other one.
UNUSED = {"image": rf"text_model\..*|{_BOTH}", "text": rf"vision_model\..*|{_BOTH}"}


class ImageTransformer(nn.Module):
    """Images [b, image_size, image_size, 3], 0 to 255 -> float32 features [b, width].

    A learned query looks at all patches, then a residual MLP. `mean` and `std` are of pixels in
    [0, 1]. The defaults are those of SigLIP-B/16. Attention itself has no dropout. Rows are not of
    unit length.

    Source: Zhai et al., arXiv 2303.15343; Zhai et al., arXiv 2106.04560, the pooling.
    """

    image_size: int = 224
    patch_size: int = 16
    width: int = 768
    depth: int = 12
    num_heads: int = 12
    hidden: int = 3072
    activation: str = "gelu_pytorch_tanh"
    epsilon: float = 1e-6
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        x = standardized(images, self.image_size, self.mean, self.std).astype(self.dtype)
        size = (self.patch_size, self.patch_size)
        x = nn.Conv(self.width, size, size, "VALID", dtype=self.dtype, name="patches")(x)
        x = x.reshape(x.shape[0], -1, self.width)
        position = self.param("position", nn.initializers.normal(0.02), x.shape[1:], jnp.float32)
        x = x + position[None].astype(self.dtype)
        x = through_blocks(self, x, causal=False, train=train)
        return self._pool(normed(self.epsilon, "final_norm", x).astype(self.dtype))

    def _pool(self, x: Array) -> Array:
        shape = (1, 1, self.width)
        query = self.param("query", nn.initializers.normal(0.02), shape, jnp.float32)
        query = jnp.broadcast_to(query.astype(self.dtype), (x.shape[0], 1, self.width))
        x = Attention(self.num_heads, dtype=self.dtype, name="pool")(query, x)
        h = normed(self.epsilon, "pool_norm", x).astype(self.dtype)
        x = x + Mlp(self.hidden, self.activation, self.dtype, name="pool_mlp")(h)
        return x[:, 0].astype(jnp.float32)


class TextTransformer(nn.Module):
    """Token ids [b, t] int, t <= max_tokens -> float32 features [b, dim], projected.

    Rows are padded to max_tokens with `pad_id`, as in training: every token sees all others, the
    padding too, and the features are those of the last. Rows are not of unit length. Attention
    itself has no dropout. The defaults are those of SigLIP-B/16.

    Source: Zhai et al., arXiv 2303.15343.
    """

    vocab_size: int = 32000
    max_tokens: int = 64
    width: int = 768
    depth: int = 12
    num_heads: int = 12
    hidden: int = 3072
    dim: int = 768
    activation: str = "gelu_pytorch_tanh"
    epsilon: float = 1e-6
    pad_id: int = 1
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Array, *, train: bool = False) -> Array:
        length = tokens.shape[1]
        if length > self.max_tokens:
            raise ValueError(
                f"Texts of {length} tokens are longer than the {self.max_tokens} that this encoder "
                "was made for: cut them."
            )
        padding = ((0, 0), (0, self.max_tokens - length))
        tokens = jnp.pad(tokens, padding, constant_values=self.pad_id)
        x = nn.Embed(self.vocab_size, self.width, name="words")(tokens)
        position = self.param("position", nn.initializers.normal(0.02), x.shape[1:], jnp.float32)
        x = (x + position[None]).astype(self.dtype)
        x = through_blocks(self, x, causal=False, train=train)
        x = normed(self.epsilon, "final_norm", x[:, -1])
        return nn.Dense(self.dim, name="projection")(x)


def from_config(
    config: Mapping[str, Any], pad_id: int | None = None
) -> tuple[ImageTransformer, TextTransformer]:
    """Return the towers of images and of texts that a SiglipModel's config.json describes.

    `pad_id` is the tokenizer's, which the config need not know.

    Raises:
      ValueError: it is of another architecture.
    """
    if config.get("model_type") != "siglip":
        raise ValueError(f"A model of the type {config.get('model_type')} is no SigLIP.")
    vision, text = (config.get(f"{part}_config") or {} for part in ("vision", "text"))
    if not vision.get("vision_use_head", True):
        raise ValueError("A SigLIP without vision_use_head has no features of a whole image.")
    images = ImageTransformer(
        image_size=vision.get("image_size", 224),
        patch_size=vision.get("patch_size", 16),
        **_sizes(vision),
    )
    texts = TextTransformer(
        vocab_size=text.get("vocab_size", 32000),
        max_tokens=text.get("max_position_embeddings", 64),
        dim=text.get("projection_size") or text.get("hidden_size", 768),
        pad_id=text.get("pad_token_id", 1) if pad_id is None else pad_id,
        **_sizes(text),
    )
    return images, texts


def _sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "width": config.get("hidden_size", 768),
        "depth": config.get("num_hidden_layers", 12),
        "num_heads": config.get("num_attention_heads", 12),
        "hidden": config.get("intermediate_size", 3072),
        "activation": checked_activation(config.get("hidden_act", "gelu_pytorch_tanh")),
        "epsilon": config.get("layer_norm_eps", 1e-6),
    }


def checkpoint_names(model: ImageTransformer | TextTransformer) -> dict[str, str]:
    """Map the names of the parameters to names in a SiglipModel's checkpoint, its in_proj split."""
    if isinstance(model, ImageTransformer):
        tower = "vision_model"
        layers = {
            "patches": "embeddings.patch_embedding",
            "final_norm": "post_layernorm",
            "pool/query": "head.attention.q_proj",
            "pool/key": "head.attention.k_proj",
            "pool/value": "head.attention.v_proj",
            "pool/out": "head.attention.out_proj",
            "pool_norm": "head.layernorm",
            "pool_mlp/expand": "head.mlp.fc1",
            "pool_mlp/project": "head.mlp.fc2",
        }
        alone = {"query": "head.probe"}
    else:
        tower = "text_model"
        layers = {"final_norm": "final_layer_norm", "projection": "head"}
        alone = {"words/embedding": "embeddings.token_embedding.weight"}
    alone["position"] = "embeddings.position_embedding.weight"
    for i in range(model.depth):
        layers |= block_layers(f"block_{i}", f"encoder.layers.{i}")
    names = parameter_names(layers) | alone
    return {ours: f"{tower}.{theirs}" for ours, theirs in names.items()}
