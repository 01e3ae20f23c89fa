"""ResNets as published by torchvision, timm and Hugging Face: 18, 34, 50, 101, 152."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.published import timm_config

# Of a published checkpoint: the classifier and the counters of training.
UNUSED = r"fc\..*|classifier\..*|.*\.num_batches_tracked"
_LEAVES = {"scale": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
# timm's and torchvision's by name: blocks of each stage, bottleneck.
_SIZES = {
    "resnet18": ((2, 2, 2, 2), False),
    "resnet34": ((3, 4, 6, 3), False),
    "resnet50": ((3, 4, 6, 3), True),
    "resnet101": ((3, 4, 23, 3), True),
    "resnet152": ((3, 8, 36, 3), True),
}


class ConvNorm(nn.Module):
    """x [b, h, w, c] -> [b, h / stride, w / stride, features]: convolution, stored BatchNorm."""

    features: int
    size: int = 1
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        window, step, margin = (self.size,) * 2, (self.stride,) * 2, self.size // 2
        x = nn.Conv(
            self.features,
            window,
            step,
            padding=margin,
            use_bias=False,
            dtype=self.dtype,
            name="convolution",
        )(x)
        zeros, ones = nn.initializers.zeros, nn.initializers.ones
        scale, bias, mean, variance = (
            self.param(name, start, (self.features,), jnp.float32)
            for name, start in (
                ("scale", ones),
                ("bias", zeros),
                ("mean", zeros),
                ("variance", ones),
            )
        )
        mean, variance = jax.lax.stop_gradient((mean, variance))
        factor = scale * jax.lax.rsqrt(variance + 1e-5)
        shift = bias - mean * factor
        y = x.astype(jnp.float32) * factor[None, None, None] + shift[None, None, None]
        return y.astype(self.dtype)


class Block(nn.Module):
    """relu(x + convolutions(x)), x projected where its shape changes; x [b, h, w, c].

    Two 3 x 3 convolutions, or 1 x 1, 3 x 3, 1 x 1; the first 3 x 3 has the stride.
    """

    features: int
    stride: int
    bottleneck: bool
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        inner = self.features // 4 if self.bottleneck else self.features
        layers = [(inner, 3, self.stride), (self.features, 3, 1)]
        if self.bottleneck:
            layers = [(inner, 1, 1), (inner, 3, self.stride), (self.features, 1, 1)]
        h = x
        for i, (features, size, stride) in enumerate(layers):
            h = ConvNorm(features, size, stride, self.dtype, name=f"layer_{i}")(h)
            h = nn.relu(h) if i + 1 < len(layers) else h
        if self.stride > 1 or x.shape[-1] != self.features:
            x = ConvNorm(self.features, 1, self.stride, self.dtype, name="shortcut")(x)
        return nn.relu(x + h)


class ResNet(nn.Module):
    """Images [b, h, w, 3], values 0 to 255 -> float32 features [b, width], the mean over places.

    width is 512, or 2048 with bottlenecks. `mean` and `std` are of pixels in [0, 1]; `dropout` acts
    on the features. The defaults are those of ResNet-50.

    BatchNorm uses its stored statistics in training too, and they get no gradient: statistics of
    the batch would let each row's features depend on the other rows, which tells a contrastive
    loss which rows were embedded together, and would differ with the parts a batch is cut into.

    Source: He et al., arXiv 1512.03385, table 1; stride in the 3 x 3 convolution, as published.
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    bottleneck: bool = True
    stem_width: int = 64
    widths: tuple[int, ...] | None = None
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        mean, std = (jnp.array(v, jnp.float32)[None, None, None] for v in (self.mean, self.std))
        x = ((images.astype(jnp.float32) / 255 - mean) / std).astype(self.dtype)
        x = nn.relu(ConvNorm(self.stem_width, 7, 2, self.dtype, name="stem")(x))
        margin: Any = ((1, 1), (1, 1))  # Flax's own type for it leaves this out
        x = nn.max_pool(x, (3, 3), (2, 2), margin)
        for i, (stage, j) in enumerate(_places(self.depths)):
            features = (self.widths or _widths(self.bottleneck))[stage]
            stride = 2 if stage and not j else 1
            x = Block(features, stride, self.bottleneck, self.dtype, name=f"block_{i}")(x)
        x = x.astype(jnp.float32).mean(axis=(1, 2))
        return nn.Dropout(self.dropout, deterministic=not train)(x)


def _widths(bottleneck: bool) -> tuple[int, ...]:
    return tuple(width * (4 if bottleneck else 1) for width in (64, 128, 256, 512))


def _places(depths: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Stage and place in it of each block."""
    for stage, depth in enumerate(depths):
        for j in range(depth):
            yield stage, j


def from_config(config: Mapping[str, Any]) -> ResNet:
    """Return the tower that a config.json describes, Hugging Face's or timm's.

    Raises:
      ValueError: it is of another architecture.
    """
    if "architecture" in config:
        pretrained = config.get("pretrained_cfg", {})
        if config["architecture"] not in _SIZES:
            raise ValueError(
                f"{config['architecture']} is none of the ResNets known here: {', '.join(_SIZES)}."
            )
        depths, bottleneck = _SIZES[config["architecture"]]
        args = timm_config.model_args(config, ("channels",), in_chans=3, global_pool="avg")
        widths = tuple(width * (4 if bottleneck else 1) for width in args.get("channels", ()))
        model = ResNet(depths, bottleneck, widths=widths or None)
        return model.clone(
            mean=tuple(pretrained.get("mean", model.mean)),
            std=tuple(pretrained.get("std", model.std)),
        )
    kind = config.get("model_type")
    if kind != "resnet":
        raise ValueError(f"A model of the type {kind} is no ResNet: choose another folder.")
    if (
        config.get("downsample_in_first_stage")
        or config.get("downsample_in_bottleneck")
        or config.get("hidden_act", "relu") != "relu"
    ):
        raise ValueError("config.json asks for strides or a hidden_act that are not supported.")
    return ResNet(
        depths=tuple(config.get("depths", (3, 4, 6, 3))),
        bottleneck=config.get("layer_type", "bottleneck") == "bottleneck",
        stem_width=config.get("embedding_size", 64),
        widths=tuple(config.get("hidden_sizes", _widths(True))),
    )


def checkpoint_names(model: ResNet, weights: Iterable[str]) -> dict[str, str]:
    """Map the names of the parameters to names among `weights`, whose layout they show.

    There are names for shortcuts where the model has none, too.
    """
    stem = next((n for n in weights if n.endswith("embedder.embedder.convolution.weight")), None)
    if stem is None:
        layers = _torchvision(model)
    else:
        prefix = stem.removesuffix("embedder.embedder.convolution.weight")
        layers = _hugging_face(model, prefix)
    names = {}
    for ours, (convolution, norm) in layers.items():
        names[f"{ours}/convolution/kernel"] = f"{convolution}.weight"
        names |= {f"{ours}/{leaf}": f"{norm}.{theirs}" for leaf, theirs in _LEAVES.items()}
    return names


def _torchvision(model: ResNet) -> dict[str, tuple[str, str]]:
    layers = {"stem": ("conv1", "bn1")}
    for i, (stage, j) in enumerate(_places(model.depths)):
        theirs = f"layer{stage + 1}.{j}"
        for k in range(3 if model.bottleneck else 2):
            layers[f"block_{i}/layer_{k}"] = f"{theirs}.conv{k + 1}", f"{theirs}.bn{k + 1}"
        layers[f"block_{i}/shortcut"] = f"{theirs}.downsample.0", f"{theirs}.downsample.1"
    return layers


def _hugging_face(model: ResNet, prefix: str) -> dict[str, tuple[str, str]]:
    layers = {"stem": "embedder.embedder"}
    for i, (stage, j) in enumerate(_places(model.depths)):
        theirs = f"encoder.stages.{stage}.layers.{j}"
        for k in range(3 if model.bottleneck else 2):
            layers[f"block_{i}/layer_{k}"] = f"{theirs}.layer.{k}"
        layers[f"block_{i}/shortcut"] = f"{theirs}.shortcut"
    return {
        ours: (f"{prefix}{theirs}.convolution", f"{prefix}{theirs}.normalization")
        for ours, theirs in layers.items()
    }
