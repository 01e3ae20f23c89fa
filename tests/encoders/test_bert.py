import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.encoders import bert
from gentle_clip_jax.encoders.bert import Bert
from gentle_clip_jax.encoders.published import pretrained, weight_files

MODEL = Bert(vocab_size=30, width=12, depth=2, num_heads=3, hidden=20, max_tokens=9)
TOKENS = jnp.array([[3, 4, 0, 0], [5, 6, 7, 0], [8, 0, 0, 0], [9, 9, 9, 9]])


@pytest.fixture(scope="module")
def params():
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), TOKENS)["params"]
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(0, 0.5, s.shape), s.dtype), shapes)


def embed(params, tokens):
    return jax.jit(MODEL.apply)({"params": params}, tokens)


def reference(params, tokens: list[int]) -> np.ndarray:
    """The features of one text without padding, in float64."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def dense(x, layer):
        return x @ layer["kernel"] + layer["bias"]

    def norm(x, layer):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * layer["scale"] + layer["bias"]

    gelu = np.vectorize(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)
    x = p["words"]["embedding"][tokens] + p["positions"]["embedding"][: len(tokens)]
    x = norm(x + p["segments"]["embedding"][0], p["embedding_norm"])
    for i in range(2):
        layer, heads = p[f"block_{i}"], []
        q, k, v = (dense(x, layer[name]) for name in ("query", "key", "value"))
        for h in range(3):
            part = slice(4 * h, 4 * h + 4)
            weight = np.exp(q[:, part] @ k[:, part].T / 2)
            heads.append(weight / weight.sum(1, keepdims=True) @ v[:, part])
        x = norm(x + dense(np.concatenate(heads, 1), layer["out"]), layer["attention_norm"])
        hidden = dense(gelu(dense(x, layer["expand"])), layer["project"])
        x = norm(x + hidden, layer["norm"])
    return x.mean(0)


def test_features_are_bert_and_the_mean_over_real_tokens(params):
    features = embed(params, TOKENS)
    assert features.shape == (4, 12)
    assert features.dtype == jnp.float32
    for row, tokens in zip(features, TOKENS.tolist()):
        expected = reference(params, [token for token in tokens if token])
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_more_padding_changes_nothing(params):
    padded = jnp.pad(TOKENS, ((0, 1), (0, 5)))
    features = embed(params, padded)
    np.testing.assert_allclose(features[:4], embed(params, TOKENS), atol=1e-5)
    assert jnp.isfinite(features).all()


KINDS = {"Bert": 0, "Roberta": 1}  # with ids of the padding
LENGTHS = (5, 9, 2)


def original(kind, **settings):
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{kind.partition('For')[0]}Config")(
        vocab_size=30,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=12,
        type_vocab_size=2,
        attn_implementation="eager",
        **settings,
    )
    from originals import randomized

    return randomized(getattr(transformers, kind if "For" in kind else f"{kind}Model")(config))


def outputs(original, tokens, pad_id):
    """The original's outputs for each token, and for a whole text."""
    import torch

    ids = torch.tensor(tokens.astype(np.int64))
    model = getattr(original, original.base_model_prefix, original)
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=(ids != pad_id).long())
    return out.last_hidden_state


def padded(pad_id):
    rows = np.full((3, 9), pad_id, np.int32)
    rng = np.random.default_rng(0)
    for row, length in zip(rows, LENGTHS):
        row[:length] = rng.integers(3, 30, length)
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_transformers(kind, tmp_path):
    torch, originals = pytest.importorskip("torch"), pytest.importorskip("originals")
    pad_id = KINDS[kind]
    theirs, tokens = original(kind, pad_token_id=pad_id), padded(pad_id)
    states = outputs(theirs, tokens, pad_id)
    ours = pretrained.load(originals.saved(theirs, tmp_path))
    assert ours.role == "text"
    assert ours.max_tokens == 12 - (pad_id + 1 if pad_id else 0)
    means = [row[:length].mean(dim=0) for row, length in zip(states, LENGTHS)]
    originals.assert_close(originals.apply(ours, tokens), torch.stack(means))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 7}')
    ours = pretrained.load(tmp_path)
    assert ours.max_tokens == 7
    originals.assert_close(originals.apply(ours, tokens), states[:, 0])


def test_the_heads_of_training_and_the_names_of_tensorflow(tmp_path):
    originals = pytest.importorskip("originals")
    theirs, tokens = original("BertForPreTraining"), padded(0)
    states = outputs(theirs, tokens, 0)
    ours = pretrained.load(originals.saved(theirs, tmp_path))
    means = (states * (originals.torch.tensor(tokens) != 0)[..., None]).sum(1)
    lengths = originals.torch.tensor(LENGTHS)[:, None]
    originals.assert_close(originals.apply(ours, tokens), means / lengths)
    layout = _tensorflow(weight_files.read_safetensors(tmp_path / "model.safetensors"))
    names = bert.checkpoint_names(ours.model, layout)
    params = pretrained.load_params(ours.model, tokens, layout, names, bert.UNUSED)
    originals.assert_close(originals.apply(ours._replace(params=params), tokens), means / lengths)


def _tensorflow(weights):
    """With the names that checkpoints converted from TensorFlow have."""
    names = {
        n: n.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta") for n in weights
    }
    return {new: weights[old] for old, new in names.items()}


def test_cut_and_foreign_checkpoints_are_refused(tmp_path):
    originals = pytest.importorskip("originals")
    from safetensors.numpy import save_file

    path = originals.saved(original("Bert"), tmp_path) / "model.safetensors"
    weights = weight_files.read_safetensors(path)
    name = "encoder.layer.1.output.LayerNorm.bias"
    save_file({n: w for n, w in weights.items() if n != name}, path)
    with pytest.raises(ValueError, match=f"not of Bert: {name} is missing"):
        pretrained.load(tmp_path)
    save_file(weights | {"encoder.layer.2.output.dense.bias": weights[name]}, path)
    with pytest.raises(ValueError, match=r"not of Bert: encoder.layer.2.* has no place in it"):
        pretrained.load(tmp_path)


@pytest.mark.parametrize(
    ("config", "pooling", "words"),
    [
        ({"model_type": "gpt2"}, "mean", "of the type gpt2 is no BERT"),
        ({"model_type": "bert"}, "last", "must be mean or class, not last"),
        ({"model_type": "bert", "hidden_act": "relu"}, "mean", "asks for a hidden_act"),
    ],
)
def test_other_configs_are_refused(config, pooling, words):
    with pytest.raises(ValueError, match=words):
        bert.from_config(config, pooling)


def test_long_texts_are_refused():
    with pytest.raises(ValueError, match="Texts of 10 tokens are longer than the 9"):
        MODEL.init(jax.random.key(0), jnp.zeros((1, 10), jnp.int32))


def test_layers_stand_side_by_side(params):
    """The last is what the model gives without, and a layer is that of a model that ends there."""
    both = MODEL.clone(layers=(1, 2)).apply({"params": params}, TOKENS)
    np.testing.assert_allclose(both[:, 12:], embed(params, TOKENS), atol=1e-6)
    shallow = {name: part for name, part in params.items() if name != "block_1"}
    first = MODEL.clone(depth=1).apply({"params": shallow}, TOKENS)
    np.testing.assert_allclose(both[:, :12], first, atol=1e-6)
