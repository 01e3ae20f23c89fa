"""Vision transformers with a class token as published: ViT, DINO, DINOv2, with registers or not."""

import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.published import timm_config

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_TIMM_ARGS = ("embed_dim", "depth", "num_heads", "patch_size", "mlp_ratio", "qkv_bias")
# timm's sizes by name: width, depth, heads.
_SIZES = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}


class Block(nn.Module):
    """x + scale attention(norm(x)), then x + scale mlp(norm(x)); x [b, t, width]."""

    num_heads: int
    hidden: int
    qkv_bias: bool = True
    layer_scale: bool = False
    swiglu: bool = False
    epsilon: float = 1e-6
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        drop = nn.Dropout(self.dropout, deterministic=not train)
        x = x + drop(self._scaled("scale_1", self._attention(self._norm("norm_1", x))))
        return x + drop(self._scaled("scale_2", self._mlp(self._norm("norm_2", x))))

    def _norm(self, name: str, x: Array) -> Array:
        return nn.LayerNorm(self.epsilon, dtype=jnp.float32, name=name)(x).astype(self.dtype)

    def _scaled(self, name: str, x: Array) -> Array:
        if not self.layer_scale:
            return x
        scale = self.param(name, nn.initializers.ones, (x.shape[-1],), jnp.float32)
        return x * scale.astype(x.dtype)[None, None]

    def _attention(self, x: Array) -> Array:
        width = x.shape[-1]
        heads = (*x.shape[:2], self.num_heads, width // self.num_heads)
        q, k, v = (
            nn.Dense(width, use_bias=self.qkv_bias, dtype=self.dtype, name=name)(x).reshape(heads)
            for name in ("query", "key", "value")
        )
        h = jax.nn.dot_product_attention(q, k, v).reshape(x.shape)
        return nn.Dense(width, dtype=self.dtype, name="out")(h)

    def _mlp(self, x: Array) -> Array:
        h = nn.Dense(self.hidden, dtype=self.dtype, name="expand")(x)
        if self.swiglu:
            h = nn.silu(nn.Dense(self.hidden, dtype=self.dtype, name="gate")(x)) * h
        else:
            h = nn.gelu(h, approximate=False)
        return nn.Dense(x.shape[-1], dtype=self.dtype, name="project")(h)


class ClassTokenTransformer(nn.Module):
    """Images [b, h, w, 3], values 0 to 255 -> float32 features [b, width], the final class token.

    `layers`: the numbers of blocks whose class tokens stand side by side, normed all alike, 0 what
    the first block sees; the last alone if none are given.
    Made for image_size x image_size pixels; for other sizes the positions are interpolated, and
    pixels beyond a whole number of patches are left out. `mean` and `std` are of pixels in [0, 1].
    Attention itself has no dropout. The defaults are those of ViT-B/16.

    Source: Dosovitskiy et al., arXiv 2010.11929; Oquab et al., arXiv 2304.07193, layer scale and
    SwiGLU; Darcet et al., arXiv 2309.16588, registers.
    """

    image_size: int = 224
    patch_size: int = 16
    width: int = 768
    depth: int = 12
    num_heads: int = 12
    hidden: int = 3072
    num_registers: int = 0
    qkv_bias: bool = True
    layer_scale: bool = False
    swiglu: bool = False
    antialias: bool = False
    epsilon: float = 1e-6
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    layers: tuple[int, ...] = ()
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def tokens(self, images: Array, *, train: bool = False) -> Array:
        """Images -> float32 [b, 1 + num_registers + patches, width], row by row, normed.

        Of several layers [b, 1 + num_registers + patches, layers * width].
        """
        mean, std = (jnp.array(v, jnp.float32)[None, None, None] for v in (self.mean, self.std))
        x = ((images.astype(jnp.float32) / 255 - mean) / std).astype(self.dtype)
        size = (self.patch_size, self.patch_size)
        x = nn.Conv(self.width, size, size, padding="VALID", dtype=self.dtype, name="patches")(x)
        grid, x = x.shape[1:3], x.reshape(x.shape[0], -1, self.width)
        x = jnp.concatenate([self._learned("class_token", 1, x), x], axis=1)
        x = x + self._position(grid).astype(self.dtype)
        if self.num_registers:
            registers = self._learned("registers", self.num_registers, x)
            x = jnp.concatenate([x[:, :1], registers, x[:, 1:]], axis=1)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        outputs = [x]
        for i in range(self.depth):
            x = Block(
                self.num_heads,
                self.hidden,
                self.qkv_bias,
                self.layer_scale,
                self.swiglu,
                self.epsilon,
                self.dropout,
                self.dtype,
                name=f"block_{i}",
            )(x, train=train)
            outputs.append(x)
        norm = nn.LayerNorm(self.epsilon, dtype=jnp.float32, name="final_norm")
        chosen = [norm(outputs[i]) for i in self.layers or (self.depth,)]
        return jnp.concatenate(chosen, axis=-1)

    def __call__(self, images: Array, *, train: bool = False) -> Array:
        return self.tokens(images, train=train)[:, 0]

    def patch_tokens(self, images: Array, *, train: bool = False) -> Array:
        """Images -> float32 [b, patches, width], the final token of each patch, row by row."""
        return self.tokens(images, train=train)[:, 1 + self.num_registers :]

    def _learned(self, name: str, number: int, x: Array) -> Array:
        """Return tokens that are the same for all images, [b, number, width]."""
        shape = (1, number, self.width)
        token = self.param(name, nn.initializers.normal(0.02), shape, jnp.float32)
        return jnp.broadcast_to(token.astype(x.dtype), (x.shape[0], *shape[1:]))

    def _position(self, grid: tuple[int, ...]) -> Array:
        """Return position embeddings [1, 1 + patches, width] of class token and patches."""
        side = self.image_size // self.patch_size
        shape = (1, 1 + side * side, self.width)
        position = self.param("position", nn.initializers.normal(0.02), shape, jnp.float32)
        if grid == (side, side):
            return position
        rows, columns = (jnp.asarray(_resizing(side, new, self.antialias)) for new in grid)
        table = position[0, 1:].reshape(side, side, self.width)
        table = jnp.einsum("ai,bj,ijw->abw", rows, columns, table, precision="highest")
        return jnp.concatenate([position[:, :1], table.reshape(1, -1, self.width)], axis=1)


def _resizing(old: int, new: int, antialias: bool) -> np.ndarray:
    """Return weights [new, old] of bicubic interpolation as PyTorch does it, corners not aligned.

    Without antialiasing Keys' a is -0.75 and the border repeats; with it a is -0.5, the kernel
    widens with the step between new places, and what lies outside is left out.
    """
    a, stretch = (-0.5, max(old / new, 1.0)) if antialias else (-0.75, 1.0)
    centre = (np.arange(new) + 0.5) * old / new - 0.5
    x = np.abs(np.arange(-2, old + 2) - centre[:, None]) / stretch
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    taps = np.where(x < 1, near, np.where(x < 2, far, 0))
    weights = taps[:, 2:-2].copy()
    if antialias:
        weights /= weights.sum(axis=1, keepdims=True)
    else:
        weights[:, 0] += taps[:, :2].sum(axis=1)
        weights[:, -1] += taps[:, -2:].sum(axis=1)
    return weights.astype(np.float32)


def from_config(config: Mapping[str, Any]) -> ClassTokenTransformer:
    """Return the tower of a config.json: Hugging Face's vit, dinov2 (with registers), or timm's.

    Hugging Face keeps mean and std elsewhere: here ViT gets 0.5, DINOv2 those of ImageNet.

    Raises:
      ValueError: it is of another architecture.
    """
    if "architecture" in config:
        return _from_timm(config)
    kind, size = config.get("model_type"), config.get("image_size", 224)
    patch, width = config.get("patch_size", 16), config.get("hidden_size", 768)
    if kind not in ("vit", "dinov2", "dinov2_with_registers"):
        raise ValueError(f"A model of the type {kind} is no ViT or DINOv2: choose another folder.")
    if config.get("hidden_act", "gelu") != "gelu" or not isinstance(size, int):
        raise ValueError("config.json asks for hidden_act or image_size that no published ViT has.")
    hidden = config.get("intermediate_size", 3072)
    swiglu = config.get("use_swiglu_ffn", False)
    if kind != "vit":
        hidden = int(width * config.get("mlp_ratio", 4))
        hidden = (int(hidden * 2 / 3) + 7) // 8 * 8 if swiglu else hidden
    half = (0.5, 0.5, 0.5)
    return ClassTokenTransformer(
        image_size=size,
        patch_size=patch,
        width=width,
        depth=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        hidden=hidden,
        num_registers=config.get("num_register_tokens", 4) if "registers" in kind else 0,
        qkv_bias=config.get("qkv_bias", True),
        layer_scale=kind != "vit",
        swiglu=swiglu,
        antialias="registers" in kind,
        epsilon=config.get("layer_norm_eps", 1e-12 if kind == "vit" else 1e-6),
        mean=half if kind == "vit" else IMAGENET_MEAN,
        std=half if kind == "vit" else IMAGENET_STD,
    )


def _from_timm(config: Mapping[str, Any]) -> ClassTokenTransformer:
    name, pretrained = config["architecture"], config.get("pretrained_cfg", {})
    match = re.match(r"(?:vit|deit)_(\w+?)_patch(\d+)", name)
    if match is None or match[1] not in _SIZES:
        raise ValueError(f"{name} is no ViT with a class token that is known here.")
    usual = {"in_chans": 3, "global_pool": "token", "class_token": True, "init_values": 1e-5}
    args: dict[str, Any] = dict(zip(_TIMM_ARGS, (*_SIZES[match[1]], int(match[2]), 4.0, True)))
    args |= timm_config.model_args(config, (*_TIMM_ARGS, "img_size"), **usual)
    size = args.get("img_size") or pretrained.get("input_size", (3, 224, 224))[-1]
    return ClassTokenTransformer(
        image_size=size if isinstance(size, int) else size[-1],
        patch_size=args["patch_size"],
        width=args["embed_dim"],
        depth=args["depth"],
        num_heads=args["num_heads"],
        hidden=int(args["mlp_ratio"] * args["embed_dim"]),
        qkv_bias=args["qkv_bias"],
        layer_scale="dinov2" in name,
        antialias=True,
        mean=tuple(pretrained.get("mean", IMAGENET_MEAN)),
        std=tuple(pretrained.get("std", IMAGENET_STD)),
    )
