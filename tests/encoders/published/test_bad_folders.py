"""Folders of checkpoints with wrong files: one sentence each, before memory or time is spent."""

import json
import shutil
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from gentle_clip_jax.data.published_tokens import read_tokenizer
from gentle_clip_jax.encoders import bert, clip
from gentle_clip_jax.encoders.published import pretrained, weight_files
from gentle_clip_jax.storage import reading

BERT = {
    "model_type": "bert",
    "vocab_size": 9,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
}
VISION = {
    "image_size": 16,
    "patch_size": 8,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}
CLIP = {"model_type": "clip", "projection_dim": 8, "vision_config": VISION}
IMAGES = {
    "size": {"height": 16, "width": 16},
    "do_resize": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
    "resample": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
TOKENS = {"pad_token": "[PAD]", "do_lower_case": True, "strip_accents": None}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e"]


def write(folder, config, model, names, inputs):
    """A checkpoint of a model with weights of ones, as Hugging Face has it."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), inputs)["params"]
    weights = {}
    for path, leaf in traverse_util.flatten_dict(shapes, sep="/").items():
        order = {2: (1, 0), 4: (3, 2, 0, 1)}.get(len(leaf.shape)) if "kernel" in path else None
        shape = leaf.shape if order is None else tuple(leaf.shape[axis] for axis in order)
        weights[names[path]] = np.ones(shape, np.float32)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder of a small BERT and one of a small CLIP's tower of images."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("bert", "clip")}
    model = bert.from_config(BERT)
    write(folders["bert"], BERT, model, bert.checkpoint_names(model), jnp.zeros((1, 2), jnp.int32))
    (folders["bert"] / "vocab.txt").write_text("\n".join(WORDS))
    (folders["bert"] / "tokenizer_config.json").write_text(json.dumps(TOKENS))
    model, _ = clip.from_config(CLIP)
    names = clip.checkpoint_names(model)
    write(folders["clip"], CLIP, model, names, jnp.zeros((1, 16, 16, 3)))
    (folders["clip"] / "preprocessor_config.json").write_text(json.dumps(IMAGES))
    return folders


@pytest.fixture
def folders(sound, tmp_path):
    return {name: shutil.copytree(folder, tmp_path / name) for name, folder in sound.items()}


def load(folder):
    return pretrained.load(folder, role="image" if "clip" in str(folder) else None)


def change(path, **keys):
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_the_sound_ones_are_read(folders):
    assert pretrained.load(folders["bert"]).max_tokens == 16
    assert load(folders["clip"]).framing.size == 16
    assert read_tokenizer(folders["bert"]).pad_id == 0


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("bert", {"hidden_size": -8}, r"config.json cannot be used: hidden_size is wrong"),
        ("bert", {"hidden_size": "8"}, r"hidden_size is wrong \(expected `int.*, got `str`"),
        ("bert", {"hidden_size": 8.5}, "hidden_size is wrong"),
        ("bert", {"num_hidden_layers": 10**6}, "num_hidden_layers is wrong .*<= 256"),
        ("bert", {"num_attention_heads": 3}, "3 attention heads cannot share hidden_size 8"),
        ("bert", {"layer_norm_eps": 0}, "layer_norm_eps is wrong"),
        ("bert", {"vocab_size": True}, "vocab_size is wrong"),
        ("bert", {"pad_token_id": -1}, "pad_token_id is wrong"),
        ("bert", {"hidden_act": ["gelu"]}, "hidden_act is wrong"),
        ("bert", {"model_type": ["bert"]}, r"a model of the type \['bert'\]"),
        ("clip", {"image_size": 10**9}, "image_size is wrong"),
        ("clip", {"patch_size": 0}, "patch_size is wrong"),
        ("clip", {"patch_size": 99}, "image_size of 16 cannot be cut into patches of 99"),
    ],
)
def test_values_of_a_config(name, keys, words, folders):
    keys = keys if name == "bert" else {"vision_config": VISION | keys}
    change(folders[name] / "config.json", **keys)
    with pytest.raises(ValueError, match=words):
        load(folders[name])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"image_std": [0.5, 0, 0.5]}, r"preprocessor_config.json cannot be used: image_std\[1\]"),
        ({"image_mean": [0.5]}, "image_mean is wrong"),
        ({"size": "large"}, "size is wrong"),
        ({"size": {"height": -1}}, "size"),
        ({"crop_size": {"shortest_edge": 8}}, "Images cropped to .* are not supported"),
        ({"resample": 77}, "resample is wrong"),
        ({"rescale_factor": "x"}, "rescale_factor is wrong"),
    ],
)
def test_values_of_preprocessing(keys, words, folders):
    change(folders["clip"] / "preprocessor_config.json", **keys)
    with pytest.raises(ValueError, match=words):
        load(folders["clip"])


@pytest.mark.parametrize(
    "keys", [{"pad_token": 5}, {"do_lower_case": "yes"}, {"strip_accents": []}]
)
def test_values_of_a_tokenizer(keys, folders):
    change(folders["bert"] / "tokenizer_config.json", **keys)
    with pytest.raises(ValueError, match=f"cannot be used: {next(iter(keys))} is wrong"):
        read_tokenizer(folders["bert"])


BRACKETS = "[" * 100_000


@pytest.mark.parametrize("content", [BRACKETS, "[1]", "", "\x00"])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bert", "config.json"),
        ("bert", "sentence_bert_config.json"),
        ("bert", "1_Pooling/config.json"),
        ("clip", "preprocessor_config.json"),
        ("clip", "processor_config.json"),
        ("bert", "model.safetensors.index.json"),
    ],
)
def test_files_that_are_no_object_of_json(name, file, content, folders):
    folder = folders[name]
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(content)
    source = folder / file if file.endswith("index.json") else folder
    with pytest.raises(ValueError, match=file.rpartition("/")[2]) as caught:
        load(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["tokenizer_config.json", "tokenizer.json"])
def test_tokenizers_that_are_no_object_of_json(file, folders):
    for content in (BRACKETS, "[1]", ""):
        (folders["bert"] / file).write_text(content)
        with pytest.raises(ValueError, match=file):
            read_tokenizer(folders["bert"])


def of_safetensors(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


F8 = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()


@pytest.mark.parametrize(
    "content", [of_safetensors(F8, b"ab"), of_safetensors(b"[" * 100_000), b"", b"\xff" * 99]
)
def test_safetensors_that_cannot_be_read(content, folders):
    (folders["bert"] / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"model.safetensors is no sound .safetensors file"):
        pretrained.load(folders["bert"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(bad, folders):
    path = folders["bert"] / "model.safetensors"
    weights = weight_files.read_safetensors(path)
    weights["embeddings.LayerNorm.bias"] = np.full(8, bad, np.float32)
    save_file(weights, path)
    with pytest.raises(ValueError, match=r"The weight embeddings.LayerNorm.bias is not"):
        pretrained.load(folders["bert"])


def test_weights_that_are_larger_than_memory(folders, monkeypatch):
    monkeypatch.setattr(reading, "memory", lambda: 4000)
    with pytest.raises(ValueError, match=r"has \d+ bytes, more than 1000: choose another"):
        pretrained.load(folders["bert"])


def test_weights_that_are_a_device(folders):
    path = folders["bert"] / "model.safetensors"
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"has no weights|is no regular file"):
        pretrained.load(folders["bert"])
    with pytest.raises(ValueError, match="is no regular file"):
        weight_files.read_safetensors(path)


ANYTHING = st.sampled_from(
    [None, True, -1, 0, 10**30, 1.5, float("nan"), "x", "", [], [0], [-1, 2], {}, {"a": None}]
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_value_of_any_key_is_an_encoder_or_a_sentence(folders, data):
    name = data.draw(st.sampled_from(["bert", "clip"]))
    file = "config.json" if name == "bert" or data.draw(st.booleans()) else None
    path = folders[name] / (file or "preprocessor_config.json")
    whole = path.read_text()
    tower = VISION if (name, file) == ("clip", "config.json") else json.loads(whole)
    keys = data.draw(st.sets(st.sampled_from(sorted(tower)), min_size=1, max_size=2))
    changed = {key: data.draw(ANYTHING) for key in keys}
    change(path, **({"vision_config": VISION | changed} if tower is VISION else changed))
    said = "nothing"
    try:
        load(folders[name])
    except ValueError as error:
        said = str(error)
    finally:
        path.write_text(whole)
    assert said.strip()
    assert "\n" not in said
