"""The settings of a model and of its images in timm's config.json."""

from collections.abc import Collection, Mapping
from typing import Any

from gentle_clip_jax.encoders.published.open_clip import RESAMPLING

# Arguments of models that make no difference to their features.
_NO_MATTER = ("num_classes", "drop_rate", "drop_path_rate", "dynamic_img_size")

# What torchvision did to images before its ResNets saw them; its files do not say.
_OF_TORCHVISION = {"size": {"shortest_edge": 256}, "crop_size": 224, "resample": 2}


def model_args(config: Mapping[str, Any], known: Collection[str], **usual: Any) -> dict[str, Any]:
    """Return the arguments that the model was made with, of those named in `known`.

    Raises:
      ValueError: another one matters, and is not as `usual`.
    """
    args = {name: v for name, v in (config.get("model_args") or {}).items() if v is not None}
    for name, value in args.items():
        if name not in (*known, *_NO_MATTER) and (name not in usual or value != usual[name]):
            raise ValueError(
                f"{config['architecture']} with the model_args {name} = {value} is not supported: "
                "choose another checkpoint."
            )
    return {name: value for name, value in args.items() if name in known}


def preprocessing(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the equivalent of a preprocessor_config.json, or nothing if the config lacks it.

    Raises:
      ValueError: images are to be resized in a way that is not supported.
    """
    pretrained = config.get("pretrained_cfg")
    if not pretrained:
        is_resnet = config.get("architecture", "").startswith("resnet")
        return _OF_TORCHVISION if is_resnet else {}
    if missing := [name for name in ("input_size", "mean", "std") if pretrained.get(name) is None]:
        raise ValueError(f"The pretrained_cfg of {config['architecture']} has no {missing[0]}.")
    mode, method = (
        pretrained.get("crop_mode") or "center",
        pretrained.get("interpolation") or "bicubic",
    )
    if mode not in ("center", "squash") or method not in RESAMPLING:
        raise ValueError(f"Images resized by {mode}, {method} are not supported.")
    size = pretrained["input_size"][-1]
    resized = int(size / (pretrained.get("crop_pct") or 0.875))
    square = {"height": resized, "width": resized}
    return {
        "image_mean": pretrained["mean"],
        "image_std": pretrained["std"],
        "resample": RESAMPLING[method],
        "size": square if mode == "squash" else {"shortest_edge": resized},
        "crop_size": size,
    }
