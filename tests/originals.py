"""PyTorch's originals with random weights, to hold the encoders against."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="run pip install '.[parity]' for these tests")


def randomized(model):
    """`model` for inference; all weights different, those of norms near 1, as are variances."""
    generator = torch.Generator().manual_seed(0)
    norms = {
        f"{name}.weight"
        for name, part in model.named_modules()
        if "norm" in type(part).__name__.lower()
    }
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            scale = 1 / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else 0.2
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)
            if name in norms or name.endswith("running_var"):
                tensor.copy_(tensor.abs() + 0.7)
    return model.eval()


def saved(model, folder: pathlib.Path, **files):
    """The folder, in which transformers' `model` is with its config, and .json files by name."""
    model.save_pretrained(folder)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def pixels(images: np.ndarray, mean, std):
    """Images [b, h, w, 3], 0 to 255, as PyTorch takes them."""
    standard = (images / 255 - np.array(mean)) / np.array(std)
    return torch.tensor(standard.transpose(0, 3, 1, 2), dtype=torch.float32)


def apply(encoder, inputs, **keywords):
    """Features of a `pretrained.Pretrained`."""
    features = jax.jit(lambda p, x: encoder.model.apply({"params": p}, x, **keywords))(
        encoder.params, inputs
    )
    assert features.dtype == jnp.float32
    return features


def assert_close(ours, theirs):
    """They differ by less than 1e-5, and are of a size for which that means something."""
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert 0.1 < np.abs(theirs).mean() < 10
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
