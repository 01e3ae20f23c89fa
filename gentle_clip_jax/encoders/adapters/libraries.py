"""The encoders of four libraries, each read from a folder of files."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

SETTINGS = ["*.json", "*.txt", "*.model", "*.jinja"]
BOTH = ("image", "text")
_LOCAL: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
_MOST = 100_000  # tokens of a text; a tokenizer that names more has no limit


class Adapter(NamedTuple):
    """An encoder of another library, with its weights in memory.

    folder: its files. prepare: from a Pillow image to what `embed` takes; texts are taken as they
    are. embed: from the model, a batch and a device to a tensor [b, d].
    """

    folder: pathlib.Path
    model: Any
    embed: Callable[[Any, Sequence[Any], str], Any]
    prepare: Callable[[Any], Any] | None = None
    max_tokens: int | None = None

    def start(self) -> Callable[[Sequence[Any]], np.ndarray]:
        """Put the model on a GPU if there is one; return the function from batches to features."""
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = self.model.to(device)

        def apply(batch: Sequence[Any]) -> np.ndarray:
            # Features outlive the machine they were made on: no accelerator may round them.
            with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
                return self.embed(model, batch, device).float().cpu().numpy()

        return apply

    def files(self) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        """Return the files of weights, and those of settings."""
        settings = [path for pattern in SETTINGS for path in self.folder.rglob(pattern)]
        return sorted(self.folder.rglob("*.safetensors")), sorted(settings)


def read_sentence_transformers(folder: pathlib.Path, role: str) -> Adapter:
    """Return a model of sentence-transformers: features as its `encode` returns them."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def embed(model: Any, batch: Sequence[Any], device: str) -> Any:
        inputs = {"batch_size": len(batch), "show_progress_bar": False, "device": device}
        return model.encode([*batch], convert_to_tensor=True, **inputs)

    if role == "image":
        return Adapter(folder, model, embed, lambda image: image)
    return Adapter(folder, model, embed, max_tokens=model.max_seq_length)


def read_timm(folder: pathlib.Path, _: str) -> Adapter:
    """Return a model of timm: the features that its classifier would see."""
    import timm
    from timm.data.config import resolve_model_data_config
    from timm.data.transforms_factory import create_transform

    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
    settings = resolve_model_data_config(model)
    prepare: Any = create_transform(**settings, is_training=False)
    return Adapter(folder, model, _of_images, prepare)


def _of_images(model: Any, batch: Sequence[Any], device: str) -> Any:
    import torch

    return model(torch.stack([*batch]).to(device))


def read_open_clip(folder: pathlib.Path, role: str) -> Adapter:
    """Return a tower of open_clip: features in the space that both towers share."""
    import open_clip

    name = f"local-dir:{folder}"
    made: Any = open_clip.create_model_from_pretrained(name, device="cpu")
    model, prepare = made
    if role == "image":
        return Adapter(folder, model, _clip_images, prepare)
    tokenizer = open_clip.get_tokenizer(name)

    def embed(model: Any, batch: Sequence[str], device: str) -> Any:
        return model.encode_text(tokenizer([*batch]).to(device))

    return Adapter(folder, model, embed, max_tokens=tokenizer.context_length)


def _clip_images(model: Any, batch: Sequence[Any], device: str) -> Any:
    import torch

    return model.encode_image(torch.stack([*batch]).to(device))


def transformers_roles(folder: pathlib.Path) -> tuple[str, ...]:
    """Return the roles of a model of transformers, by its class.

    Raises:
      ValueError: it takes neither images nor texts.
    """
    from transformers import MODEL_MAPPING, AutoConfig

    kind: Any = MODEL_MAPPING[type(AutoConfig.from_pretrained(folder, **_LOCAL))]
    kind = kind[0] if isinstance(kind, list | tuple) else kind
    if hasattr(kind, "get_image_features") and hasattr(kind, "get_text_features"):
        return BOTH
    role = {"pixel_values": ("image",), "input_ids": ("text",)}.get(kind.main_input_name)
    if role is None:
        raise ValueError(f"{kind.__name__} takes neither images nor texts")
    return role


def read_transformers(folder: pathlib.Path, role: str) -> Adapter:
    """Return a model of transformers.

    Features are those that images and texts share where there are such. Otherwise of an image the
    class token, or the mean over places if the model has none; of a text the mean over tokens.
    """
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model, report = AutoModel.from_pretrained(
        folder, use_safetensors=True, dtype="float32", output_loading_info=True, **_LOCAL
    )
    if missing := sorted(key for key in report["missing_keys"] if "pooler" not in key):
        raise ValueError(f"the weight {missing[0]} is missing")
    if role == "image":
        processor = AutoImageProcessor.from_pretrained(folder, **_LOCAL)

        def prepare(image: Any) -> Any:
            return processor(images=image, return_tensors="pt")["pixel_values"][0]

        return Adapter(folder, model, _image_features, prepare)
    tokenizer = AutoTokenizer.from_pretrained(folder, **_LOCAL)
    config = model.config.get_text_config()
    most = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", _MOST))
    # SigLIP was trained on texts that are all filled up to its length.
    padding = "max_length" if "siglip" in model.config.model_type else True
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    def embed(model: Any, batch: Sequence[str], device: str) -> Any:
        settings = {"padding": padding, "truncation": True, "max_length": most}
        return _text_features(model, tokenizer([*batch], **settings, return_tensors="pt"), device)

    return Adapter(folder, model, embed, max_tokens=most)


def _image_features(model: Any, batch: Sequence[Any], device: str) -> Any:
    import torch

    pixels = torch.stack([*batch]).to(device)
    if hasattr(model, "get_image_features"):
        return _pooled(model.get_image_features(pixel_values=pixels))
    hidden = model(pixel_values=pixels).last_hidden_state
    if hidden.ndim == 4:  # [b, channels, height, width]
        return hidden.mean(dim=(2, 3))
    has_class = any(name.endswith("cls_token") for name, _ in model.named_parameters())
    return hidden[:, 0] if has_class else hidden.mean(dim=1)


def _text_features(model: Any, tokens: Any, device: str) -> Any:
    tokens = tokens.to(device)
    if hasattr(model, "get_text_features"):
        return _pooled(model.get_text_features(**tokens))
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    hidden = encoder(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None].to(hidden.dtype)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _pooled(output: Any) -> Any:
    return getattr(output, "pooler_output", output)
