"""ESM-2 against the original in PyTorch, from random weights."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.data.sequences import ESM2_ALPHABET, esm2_tokens
from gentle_clip_jax.encoders import esm2
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.encoders.published.pretrained import load_params, read_safetensors

SEQUENCES = ["MKTAYIAKQR", "G", "MK<mask>AY<mask>AKQRQISFVKSHFSRQ", "XBUZOJW"]


def load(folder, model=None):
    weights = read_safetensors(folder / "model.safetensors")
    model = model or esm2.from_config(json.loads((folder / "config.json").read_text()))
    names = esm2.checkpoint_names(model.depth, weights)
    tokens = jnp.zeros((1, 4), jnp.int32)
    return model, load_params(model, tokens, weights, names, esm2.UNUSED)


def published(folder, kind="EsmModel", **changes):
    """A tiny random original, saved below `folder`."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    settings = {
        "vocab_size": 33,
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "intermediate_size": 40,
        "layer_norm_eps": 1e-5,
        "position_embedding_type": "rotary",
        "token_dropout": True,
        "emb_layer_norm_before": False,
        "pad_token_id": 1,
        "mask_token_id": 32,
        "attn_implementation": "eager",
    }
    torch.manual_seed(0)
    original = getattr(transformers, kind)(transformers.EsmConfig(**settings | changes)).eval()
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.normal_(0, 0.3)
        original.get_submodule("esm" if "Masked" in kind else "").rotary_embeddings.inv_freq.mul_(
            1.01  # the stored frequencies count, not those of the formula
        )
    original.save_pretrained(folder)
    return original


def original_outputs(original, tokens):
    import torch

    model = getattr(original, "esm", original)
    ids = torch.tensor(tokens.astype(np.int64))
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=(ids != 1).long()).last_hidden_state.numpy()


def apply(model, params, tokens, **keywords):
    return jax.jit(functools.partial(model.apply, **keywords))(params, tokens)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "token_dropout", "norm_before"),
    [("EsmModel", True, False), ("EsmForMaskedLM", True, True), ("EsmForMaskedLM", False, False)],
)
def test_outputs_are_those_of_the_original(kind, token_dropout, norm_before, tmp_path):
    original = published(
        tmp_path, kind, token_dropout=token_dropout, emb_layer_norm_before=norm_before
    )
    model, params = load(tmp_path)
    tokens = esm2_tokens(SEQUENCES)
    expected = original_outputs(original, tokens)
    found, where = apply(model, {"params": params}, tokens, method="residues")
    np.testing.assert_array_equal(where, (tokens > 2))
    real = tokens != 1
    np.testing.assert_allclose(found[real], expected[real], atol=1e-5)
    assert pretrained.role_of(tmp_path) == "sequence"
    jax.tree.map(np.testing.assert_array_equal, pretrained.load(tmp_path).params, params)
    features = apply(model, {"params": params}, tokens)
    means = [row[mask].mean(axis=0) for row, mask in zip(expected, where)]
    assert features.dtype == jnp.float32
    np.testing.assert_allclose(features, np.stack(means), atol=1e-5)


def test_frequencies_of_each_layer_as_older_checkpoints_have_them(tmp_path):
    from safetensors.numpy import save_file

    published(tmp_path)
    path = tmp_path / "model.safetensors"
    model, params = load(tmp_path)
    weights = read_safetensors(path)
    frequencies = weights.pop(next(name for name in weights if name.endswith("inv_freq")))
    for old, new in (("gamma", "weight"), ("beta", "bias")):  # what transformers 5 calls them
        weights = {
            name.replace(f"LayerNorm.{old}", f"LayerNorm.{new}"): w for name, w in weights.items()
        }
    for i in range(3):
        weights[f"encoder.layer.{i}.attention.self.rotary_embeddings.inv_freq"] = frequencies
    weights["embeddings.position_ids"] = np.arange(9)[None]
    weights["embeddings.position_embeddings.weight"] = np.zeros((9, 24), np.float32)
    save_file(weights, path)
    jax.tree.map(np.testing.assert_array_equal, load(tmp_path, model)[1], params)


def test_tokens_are_those_of_the_original(tmp_path):
    transformers = pytest.importorskip("transformers")
    (tmp_path / "vocab.txt").write_text("\n".join(ESM2_ALPHABET))
    tokenizer = transformers.EsmTokenizer(str(tmp_path / "vocab.txt"))
    texts = [*SEQUENCES, "LAGVSERTIDPKQNFYMHWCXBUZO.-", "M K T", "MJK", "J", "ACD" * 1700]
    expected = tokenizer(texts, padding=True)["input_ids"]
    np.testing.assert_array_equal(esm2_tokens(texts), expected)
    expected = tokenizer(texts, padding=True, truncation=True, max_length=6)["input_ids"]
    np.testing.assert_array_equal(esm2_tokens(texts, 6), expected)


@pytest.fixture(scope="module")
def small():
    model = esm2.ESM2(width=24, depth=2, num_heads=3, hidden=32)
    tokens = esm2_tokens(SEQUENCES)
    return model, jax.jit(model.init)(jax.random.key(0), tokens), tokens


def test_more_padding_changes_nothing(small):
    model, params, tokens = small
    padded = np.pad(tokens, ((0, 1), (0, 7)), constant_values=1)
    features = apply(model, params, padded)
    np.testing.assert_allclose(features[:-1], apply(model, params, tokens), atol=1e-5)
    assert jnp.isfinite(features).all()


def test_a_row_of_masks_alone_is_finite_with_finite_gradients(small):
    model, params, _ = small
    tokens = jnp.array([[32, 32, 32, 1], [0, 32, 2, 1], [0, 2, 1, 1]])
    loss, grads = jax.jit(jax.value_and_grad(lambda p: model.apply(p, tokens).sum()))(params)
    assert jnp.isfinite(loss)
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))
    assert not grads["params"]["frequencies"].any()


def test_half_precision_is_near(small):
    model, params, tokens = small
    with jax.numpy_dtype_promotion("standard"):  # jax.nn.dot_product_attention promotes
        half = apply(model.clone(dtype=jnp.bfloat16), params, tokens)
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, apply(model, params, tokens), atol=0.05)


def test_dropout_acts_in_training_alone(small):
    model, params, tokens = small
    model = model.clone(dropout=0.5)
    trained = apply(model, params, tokens, train=True, rngs={"dropout": jax.random.key(1)})
    assert jnp.abs(trained - apply(model, params, tokens)).max() > 1e-3


def test_other_configs_and_checkpoints_are_refused(tmp_path):
    with pytest.raises(ValueError, match="of 'bert': ESM-2 needs 'esm'"):
        esm2.from_config({"model_type": "bert"})
    with pytest.raises(ValueError, match="'absolute' positions, as ESM-1 had"):
        esm2.from_config({"model_type": "esm", "position_embedding_type": "absolute"})
    published(tmp_path)
    model, _ = load(tmp_path)
    with pytest.raises(ValueError, match=r"not of ESM2: encoder.layer.2.* has no place in it"):
        load(tmp_path, model.clone(depth=2))
    with pytest.raises(ValueError, match=r"not of ESM2: encoder.layer.3.* is missing"):
        load(tmp_path, model.clone(depth=4))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"no sound .safetensors file"):
        load(tmp_path)
