"""The field of proteins on a few domains made up here."""

import pathlib
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax import evaluate, experiment, train
from gentle_clip_jax.data import pipeline, protein, protein_sets, protein_task
from gentle_clip_jax.evals import protein as measures
from gentle_clip_jax.fields import proteins as field

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def domains(count: int = 60) -> protein.Proteins:
    """Helices of some amino acids and strands of others, 20 to 59 residues."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 60, size=count)
    kinds = np.arange(count) % 2
    sequence, backbone = [], []
    for length, kind in zip(lengths, kinds):
        sequence.append(rng.integers(10, size=length) + 10 * kind)
        place = np.arange(length)[:, None]
        turn, rise = ((1.745, 1.5), (3.3, 3.3))[kind]
        ca = np.concatenate([2 * np.cos(turn * place), 2 * np.sin(turn * place), rise * place], 1)
        ca = ca + rng.normal(size=ca.shape) * 0.2
        backbone.append(np.stack([ca - 0.8, ca, ca + 0.8], axis=1))
    return protein.Proteins(
        ids=np.array([f"d{i}" for i in range(count)]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        sequence=np.concatenate(sequence).astype(np.int8),
        structure=np.concatenate(backbone).astype(np.float32),
        split=np.array(["train"] * (count - 20) + ["valid"] * 10 + ["test"] * 10),
        labels={"class": np.where(kinds, "helix", "strand")},
    )


def config(**overrides):
    result = runpy.run_path(str(CONFIGS / "default.py"))["get_config"]("proteins")
    tiny = {
        "data.folder": "domains",
        "data.matched_fraction": 0.5,
        "data.window": 24,
        "data.crop": 16,
        "data.stride": 8,
        "data.most_neighbours": 8,
        "model.embedding_dim": 8,
        "loss.residue_dim": 8,
        "model.sequence.width": 8,
        "model.structure.width": 8,
        "model.structure.depth": 0,
        "optimizer.warmup_steps": 2,
        "train.steps": 2,
        "train.batch_matched": 4,
        "train.batch_unmatched": 4,
        "train.log_every": 1,
        "train.checkpoint_every": 2,
    }
    result.update_from_flattened_dict(tiny | overrides)
    return result


@pytest.fixture
def _made_up(monkeypatch):
    monkeypatch.setattr(protein_sets, "read", lambda folder: domains())


@pytest.mark.usefixtures("_made_up")
def test_a_pair_keeps_its_residues_in_line_and_others_do_not():
    settings = config(**{"views.structure.noise": 0.0, "views.sequence.mask": 0.0})
    task = experiment.load_task(settings, pathlib.Path())
    batch_at = pipeline.batches(task, seed=0, num_matched=4, num_unmatched=4)
    x, y = field.views(jax.random.key(0), batch_at(0), settings)
    known = domains()
    pieces = {}
    for row in range(len(known.ids)):
        here = slice(known.offsets[row], known.offsets[row + 1])
        tokens, atoms = known.sequence[here], known.structure[here]
        for start in range(len(tokens) - 15):
            pieces[tokens[start : start + 16].tobytes()] = atoms[start : start + 16]
    expected = [pieces[row.tobytes()] for row in np.asarray(x, np.int8)]
    agree = [np.allclose(a, b, atol=1e-5) for a, b in zip(expected, y["backbone"])]
    assert all(agree[:4])
    assert not any(agree[4:])


@pytest.mark.usefixtures("_made_up")
def test_views_hide_residues_and_move_atoms():
    settings = config(**{"views.structure.noise": 1.0, "views.sequence.mask": 0.5})
    task = experiment.load_task(settings, pathlib.Path())
    batch = pipeline.batches(task, seed=0, num_matched=4, num_unmatched=4)(0)
    views = [field.views(jax.random.key(0), batch, c) for c in (settings, config())]
    (hidden, moved), (_, near) = views
    assert 0.3 < float(jnp.mean((hidden == 22).astype(jnp.float32))) < 0.7
    assert 0.8 < float(jnp.std(moved["backbone"] - near["backbone"])) < 1.2


@pytest.mark.usefixtures("_made_up")
@pytest.mark.slow
def test_it_trains_resumes_and_is_evaluated(tmp_path):
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
        train.train(config(), tmp_path)
        assert int(train.train(config(), tmp_path).step) == 2
        figures = evaluate.evaluate(tmp_path)["metrics"]
        assert figures.keys() >= {"crop_mrr", "length_matched_mrr", "class_transfer"}
        assert all(0 <= f["low"] <= f["value"] <= f["high"] <= 1 for f in figures.values())
        assert len(evaluate.search(tmp_path, "acdefghxx*", num=3)) == 3


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data.crop", 32, "at most config.data.window"),
        ("loss.residue_dim", 4, "must be the same"),
        ("model.start", "nowhere", "must be one of random, cca"),
    ],
)
def test_keys_that_contradict_are_refused(key, value, message):
    with pytest.raises(ValueError, match=message):
        field.check(config(**{key: value}))


def test_a_source_must_be_given():
    with pytest.raises(ValueError, match=r"Give config\.data\.folder"):
        protein_task.read("", "some.fasta", "", seed=0)


def test_crops_shorter_than_asked_are_no_task():
    with pytest.raises(ValueError, match=r"lower config\.data\.crop"):
        protein_task.load_task(
            domains(),
            seed=0,
            matched_fraction=0.5,
            unmatched="shuffled",
            window=80,
            crop=70,
            stride=8,
            most_neighbours=8,
            cutoff=12.0,
        )


def test_ranks_count_ties_against_the_query():
    ranks = measures.both_ranks(np.array([[1.0, 1.0], [0.0, 2.0]]))
    assert ranks.tolist() == [[2, 1], [1, 1]]
    assert measures.both_ranks(np.full((3, 3), np.nan)).tolist() == [[3] * 3] * 2


def test_prototypes_of_one_modality_name_the_other():
    x, y = np.eye(3)[[0, 0, 1, 2]], np.eye(3)[[1, 0, 2]]
    hits = measures.transferred(x, np.array([1, 1, 2, 3]), y, np.array([2, 1, 1]))
    assert hits.tolist() == [True, True, False]


def test_candidates_of_like_length():
    near = measures.nearest_in_length(np.array([10, 11, 50, 52]), 2)
    assert near.tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, True],
        [False, False, True, True],
    ]


def test_the_real_domains(shared_data):
    known = protein_sets.read(shared_data("pdb-domains-3d"))
    test = known.rows("test")
    assert (len(known.ids), len(test)) == (4944, 508)
    assert not np.isin(known.ids[test], protein_sets.LEAKS).any()
    assert len(protein.crops(known, test, 64)[0]) == 460
