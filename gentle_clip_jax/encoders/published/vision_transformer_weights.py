"""Weights of published vision transformers: the layouts they come in, and the names in each."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from gentle_clip_jax.encoders.vision_transformer import ClassTokenTransformer

# Of a published checkpoint: what is above the class token, and what only training needs.
UNUSED = r"(?:\w+\.)?(?:pooler|classifier|head|decoder)\..*|(?:\w+\.)*mask_token"

# Ours, then Hugging Face's ViT, Hugging Face's DINOv2, and timm's, which is the authors' own too.
_TOP = {
    "class_token": ("embeddings.cls_token", "embeddings.cls_token", "cls_token"),
    "position": ("embeddings.position_embeddings", "embeddings.position_embeddings", "pos_embed"),
    "registers": ("", "embeddings.register_tokens", "register_tokens"),
    "patches": (*["embeddings.patch_embeddings.projection"] * 2, "patch_embed.proj"),
    "final_norm": ("layernorm", "layernorm", "norm"),
}
_BLOCK = {
    "norm_1": ("layernorm_before", "norm1", "norm1"),
    "query": ("attention.attention.query", "attention.attention.query", "attn.q"),
    "key": ("attention.attention.key", "attention.attention.key", "attn.k"),
    "value": ("attention.attention.value", "attention.attention.value", "attn.v"),
    "out": ("attention.output.dense", "attention.output.dense", "attn.proj"),
    "norm_2": ("layernorm_after", "norm2", "norm2"),
    "expand": ("intermediate.dense", "mlp.fc1", "mlp.fc1"),
    "project": ("output.dense", "mlp.fc2", "mlp.fc2"),
    "scale_1": ("", "layer_scale1.lambda1", "ls1.gamma"),
    "scale_2": ("", "layer_scale2.lambda1", "ls2.gamma"),
}
_SWIGLU = {
    "gate": ("", "mlp.gate", "mlp.gate"),
    "expand": ("", "mlp.up", "mlp.up"),
    "project": ("", "mlp.weights_out", "mlp.w3"),
}
_FUSED = {
    "attn.qkv": ("attn.q", "attn.k", "attn.v"),
    "mlp.weights_in": ("mlp.gate", "mlp.up"),
    "mlp.w12": ("mlp.gate", "mlp.up"),
}
# Parameters that are not a layer's kernel, scale or bias.
_ALONE = ("class_token", "position", "registers", "scale_1", "scale_2")


def separated(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights with fused ones split: q, k and v, or gate and values."""
    result = {}
    for name, weight in weights.items():
        fused = next((part for part in _FUSED if f".{part}." in name), None)
        if fused is None:
            result[name] = weight
        else:
            pieces = np.split(weight, len(_FUSED[fused]))
            result |= {name.replace(fused, p): w for p, w in zip(_FUSED[fused], pieces)}
    return result


def checkpoint_names(model: ClassTokenTransformer, weights: Iterable[str]) -> dict[str, str]:
    """Map names of parameters to names among the `separated` weights, by their layout.

    There are names for parameters that only other vision transformers have, too.
    """
    weights = set(weights)
    token = next((name for name in weights if name.endswith("cls_token")), "embeddings.cls_token")
    if token == "cls_token":
        column, prefix, blocks = 2, "", "blocks"
    else:
        column = int(any(".norm1." in name for name in weights))
        prefix, blocks = token.removesuffix("embeddings.cls_token"), "encoder.layer"
    layers = {ours: f"{prefix}{theirs[column]}" for ours, theirs in _TOP.items()}
    for i in range(model.depth):
        for ours, theirs in (_BLOCK | (_SWIGLU if model.swiglu else {})).items():
            layers[f"block_{i}/{ours}"] = f"{prefix}{blocks}.{i}.{theirs[column]}"
    return dict(leaf for ours, theirs in layers.items() for leaf in _leaves(ours, theirs))


def _leaves(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    name = ours.rpartition("/")[2]
    if name in _ALONE:
        yield ours, theirs
    else:
        yield f"{ours}/{'scale' if 'norm' in name else 'kernel'}", f"{theirs}.weight"
        yield f"{ours}/bias", f"{theirs}.bias"
