"""ResNets beside those of torchvision, timm and transformers."""

import json

import numpy as np
import pytest
from originals import apply, assert_close, pixels, randomized, saved, torch

from gentle_clip_jax.encoders import resnet
from gentle_clip_jax.encoders.published import pretrained

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (2, 40, 56, 3), dtype=np.uint8)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pooled(states):
    return states.mean(dim=(2, 3))


@pytest.mark.parametrize("layer_type", ["basic", "bottleneck"])
@pytest.mark.parametrize("task", ["Model", "ForImageClassification"])
def test_hugging_face(layer_type, task, tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        embedding_size=6, hidden_sizes=[8, 12, 16, 20], depths=[1, 2, 1, 1], layer_type=layer_type
    )
    theirs = randomized(getattr(transformers, f"ResNet{task}")(config))
    encoder = theirs if task == "Model" else theirs.resnet
    about = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}
    ours = pretrained.load(saved(theirs, tmp_path, preprocessor_config=about))
    with torch.no_grad():
        states = encoder(pixels(IMAGES, *about.values())).last_hidden_state
    assert_close(apply(ours, IMAGES), pooled(states))


@pytest.mark.parametrize("name", ["resnet34", "resnet50"])
def test_timm(name, tmp_path):
    timm = pytest.importorskip("timm")
    save = pytest.importorskip("timm.models").save_for_hf
    theirs = randomized(timm.create_model(name, channels=[8, 12, 16, 20]))
    save(theirs, tmp_path, safe_serialization=True)
    ours = pretrained.load(tmp_path)
    with torch.no_grad():
        states = theirs.forward_features(pixels(IMAGES, MEAN, STD))
    assert_close(apply(ours, IMAGES), pooled(states))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet34", "resnet50"])
def test_torchvision(name, tmp_path):
    theirs = randomized(getattr(pytest.importorskip("torchvision").models, name)())
    torch.save(theirs.state_dict(), tmp_path / f"{name}-0123abcd.pth")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": name}))
    ours = pretrained.load(tmp_path / f"{name}-0123abcd.pth")
    assert ours.framing == (224, 256, False, 2)
    theirs.fc = torch.nn.Identity()
    with torch.no_grad():
        assert_close(apply(ours, IMAGES), theirs(pixels(IMAGES, MEAN, STD)))


@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck"])
def test_torchvision_with_few_layers(block):
    models = pytest.importorskip("torchvision").models.resnet
    theirs = randomized(models.ResNet(getattr(models, block), [1, 1, 2, 1]))
    model = resnet.ResNet((1, 1, 2, 1), block == "Bottleneck")
    weights = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    names = resnet.checkpoint_names(model, weights)
    params = pretrained.load_params(model, IMAGES, weights, names, resnet.UNUSED)
    theirs.fc = torch.nn.Identity()
    ours = pretrained.Pretrained(model, params, None, "image")
    with torch.no_grad():
        assert_close(apply(ours, IMAGES), theirs(pixels(IMAGES, MEAN, STD)))
    shallow = resnet.ResNet((1, 1, 1, 1), block == "Bottleneck")
    with pytest.raises(ValueError, match=r"not of ResNet: layer3.1.* has the shape"):
        pretrained.load_params(shallow, IMAGES, weights, names, resnet.UNUSED)
    del weights["layer2.0.bn2.running_var"]
    with pytest.raises(ValueError, match=r"not of ResNet: layer2.0.bn2.running_var is missing"):
        pretrained.load_params(model, IMAGES, weights, names, resnet.UNUSED)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "regnet"}, "type regnet is no ResNet"),
        ({"model_type": "resnet", "downsample_in_first_stage": True}, "strides or a hidden_act"),
        ({"architecture": "resnet50d"}, "resnet50d is none of the ResNets known here: resnet18"),
        ({"architecture": "resnet50", "model_args": {"aa_layer": "blur"}}, "model_args aa_layer"),
    ],
)
def test_other_configs_are_refused(config, words):
    with pytest.raises(ValueError, match=words):
        resnet.from_config(config)
