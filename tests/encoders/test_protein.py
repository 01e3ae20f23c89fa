"""The towers of sequences and structures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.data.sequences import esm2_tokens
from gentle_clip_jax.encoders import esm2
from gentle_clip_jax.encoders.protein_language import LanguageEncoder
from gentle_clip_jax.encoders.protein_sequence import MASK, PADDING, SequenceEncoder
from gentle_clip_jax.encoders.protein_structure import StructureEncoder, invariants
from gentle_clip_jax.encoders.residues import ResidueHead, Residues, parts
from gentle_clip_jax.tasks.proteins import domains
from gentle_clip_jax.tasks.proteins.language import IDS
from gentle_clip_jax.tasks.proteins.residue_neighbours import neighbours


def chain(length: int, seed: int = 0) -> np.ndarray:
    """A random walk of residues 3.8 Angstrom apart, with N and C near [length, 3, 3]."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(length, 3)) + 0.5
    ca = np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0)
    n, c = (ca + rng.normal(size=ca.shape) * 0.4 + shift for shift in (-0.8, 0.8))
    return np.stack([n, ca, c], axis=1).astype(np.float32)


def structure(*backbones: np.ndarray, size: int = 48) -> dict[str, jax.Array]:
    """Padded to one size, so that little is compiled."""
    padded = np.full((len(backbones), size, 3, 3), np.nan, np.float32)
    for row, backbone in zip(padded, backbones):
        row[: len(backbone)] = backbone
    places = np.stack([neighbours(row[:, 1], most=12, cutoff=12.0) for row in padded])
    return {"backbone": jnp.asarray(padded), "neighbours": jnp.asarray(places)}


@pytest.fixture(scope="module")
def encoder():
    """The structures' tower with every parameter random, as a function of structures."""
    model = StructureEncoder(dim=8, width=16, depth=1)
    params = model.init(jax.random.key(0), structure(chain(20)))
    keys = iter(jax.random.split(jax.random.key(1), len(jax.tree.leaves(params))))
    params = jax.tree.map(lambda p: p + 0.1 * jax.random.normal(next(keys), p.shape), params)
    apply = jax.jit(model.apply)
    return lambda items: apply(params, items)


def turned(backbone: np.ndarray, seed: int = 0) -> np.ndarray:
    """Turned at random, not mirrored, and moved."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    return (backbone @ rotation.T + rng.normal(size=3) * 20).astype(np.float32)


@pytest.mark.slow
def test_turning_and_moving_a_structure_changes_nothing(encoder) -> None:
    backbone = chain(40)
    expected = encoder(structure(backbone))
    for seed in range(3):
        got = encoder(structure(turned(backbone, seed)))
        for a, b in zip(got, expected):
            np.testing.assert_allclose(a, b, atol=1e-4 * float(jnp.abs(b).max()))


def test_a_mirror_image_is_another_structure(encoder) -> None:
    backbone = chain(40)
    rows = encoder(structure(backbone)).rows
    mirrored = encoder(structure(backbone * np.float32([-1, 1, 1]))).rows
    assert float(jnp.abs(rows - mirrored).max()) > 1e-2


def test_padding_and_company_change_nothing(encoder) -> None:
    short, long = chain(17), chain(33, seed=1)
    alone = encoder(structure(short, size=20))
    together = encoder(structure(short, long))
    np.testing.assert_allclose(together.rows[0, :17], alone.rows[0, :17], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(together.summary[0], alone.summary[0], rtol=1e-4, atol=1e-5)
    assert not together.rows[0, 17:].any()


@pytest.mark.parametrize("missing", ["n_and_c", "one_ca", "all_but_one", "everything"])
def test_unknown_atoms_leave_all_finite(encoder, missing) -> None:
    backbone = chain(20)
    if missing == "n_and_c":
        backbone[:, [0, 2]] = np.nan
    elif missing == "one_ca":
        backbone[7, 1] = np.nan
    elif missing == "all_but_one":
        backbone[1:] = np.nan
    else:
        backbone[:] = np.nan
    rows, summary = encoder(structure(backbone))
    assert jnp.isfinite(rows).all()
    assert jnp.isfinite(summary).all()
    known = np.isfinite(backbone[:, 1]).all(axis=1)
    np.testing.assert_array_equal(np.asarray(rows[0, :20] != 0).any(axis=1), known)


def test_across_a_gap_nothing_is_measured() -> None:
    backbone = chain(20)
    moved = backbone.copy()
    moved[10:] += 100
    further = moved.copy()
    further[10:] += 50
    known, near, _ = invariants(**structure(moved))
    _, far, _ = invariants(**structure(further))
    np.testing.assert_allclose(near, far, atol=2e-3)
    assert known[0, :20].all()


def test_one_residue_and_five_thousand(encoder) -> None:
    for length in (1, 5000):
        rows, _ = encoder(structure(chain(length), size=length))
        assert rows.shape == (1, length, 8)
        assert jnp.isfinite(rows).all()


def test_same_places_give_finite_features(encoder) -> None:
    assert jnp.isfinite(encoder(structure(np.zeros((9, 3, 3), np.float32))).rows).all()


def test_neighbours_are_the_nearest_within_reach() -> None:
    ca = chain(60)[:, 1].astype(np.float64)
    distance = np.linalg.norm(ca[:, None] - ca[None], axis=-1) + 1e9 * np.eye(60)
    found = neighbours(ca, most=8, cutoff=10.0)
    for i, places in enumerate(found):
        expected = [j for j in np.argsort(distance[i]) if distance[i, j] <= 10][:8]
        assert places[places >= 0].tolist() == expected


def test_sequences_are_padded_without_effect_and_a_change_has_a_short_reach() -> None:
    model = SequenceEncoder(dim=8, width=16, depth=1, reach=2)
    tokens = jnp.arange(14)[None] % 20
    params = model.init(jax.random.key(0), tokens)
    rows, summary = model.apply(params, tokens)
    padded = jnp.pad(tokens, ((0, 0), (0, 5)), constant_values=PADDING)
    longer = model.apply(params, padded)
    np.testing.assert_allclose(longer.rows[:, :14], rows, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(longer.summary, summary, rtol=1e-6)
    assert not longer.rows[:, 14:].any()
    changed = jnp.any(model.apply(params, tokens.at[0, 6].set(19)).rows != rows, axis=-1)[0]
    assert np.flatnonzero(changed).tolist() == [4, 5, 6, 7, 8]


def test_a_head_makes_unit_rows_and_parts_takes_them_apart() -> None:
    key = jax.random.key(0)
    rows = jax.random.normal(key, (2, 5, 4)).at[0, 3:].set(0)
    residues = Residues(rows, jax.random.normal(key, (2, 7)))
    head = ResidueHead(dim=4)
    whole = head.apply(head.init(key, residues), residues)
    np.testing.assert_allclose(jnp.linalg.norm(whole, axis=1), 1, rtol=1e-5)
    summary, parted = parts(whole, 4)
    np.testing.assert_allclose(jnp.linalg.norm(summary, axis=1), 1, rtol=1e-5)
    for got, own, count in zip(parted, rows, (3, 5)):
        expected = own * jnp.sqrt(count / jnp.sum(jnp.square(own)))
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_language_model_reads_a_whole_protein_from_our_tokens() -> None:
    sequences = ["MKTAYIAKQR", "GW<mask>XL"]
    tokens = np.full((2, 14), PADDING, np.int32)
    for row, letters in zip(tokens, ("MKTAYIAKQR", "GW?XL")):
        known = domains.tokens(np.frombuffer(letters.encode(), np.uint8))
        row[: len(letters)] = np.where([c == "?" for c in letters], MASK, known)
    language = esm2.ESM2(width=24, depth=1, num_heads=3, hidden=32, mean=False)
    model = LanguageEncoder(language, IDS, language.cls_id, language.eos_id, dim=4)
    variables = model.init(jax.random.key(0), tokens)
    found = model.apply(variables, tokens)
    own = {"params": variables["params"]["language"]}
    expected = language.clone(mean=True).apply(own, esm2_tokens(sequences))
    np.testing.assert_allclose(found.summary, expected, atol=1e-5)
    np.testing.assert_array_equal(jnp.any(found.rows != 0, axis=-1), tokens != PADDING)
