"""The field of proteins on a few domains made up here."""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from config_reads import Recorder, leaves

from gentle_clip_jax.data import batches, prepare
from gentle_clip_jax.tasks import default_config
from gentle_clip_jax.tasks.proteins import data, domains, measures, sets
from gentle_clip_jax.tasks.proteins import task as field
from gentle_clip_jax.tasks.proteins.domains import Proteins
from gentle_clip_jax.training import evaluate, loop
from gentle_clip_jax.training.check import check


def made_up(count: int = 60) -> Proteins:
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
    return Proteins(
        ids=np.array([f"d{i}" for i in range(count)]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        sequence=np.concatenate(sequence).astype(np.int8),
        structure=np.concatenate(backbone).astype(np.float32),
        split=np.array(["train"] * (count - 20) + ["valid"] * 10 + ["test"] * 10),
        labels={"class": np.where(kinds, "helix", "strand")},
    )


def strings(count: int = 60) -> Proteins:
    """The same with a state for each residue, and two sets to test on."""
    known = made_up(count)
    states = np.where(known.sequence < 10, 0, 3).astype(np.int8)
    split = known.split.astype("U6")
    split[-5:], split[split == "test"] = "test_b", "test_a"
    return dataclasses.replace(known, structure=states, split=split)


def config(**overrides):
    result = default_config("proteins")
    tiny = {
        "data.folder": "domains",
        "data.matched_fraction": 0.5,
        "data.window": 24,
        "data.crop": 16,
        "data.stride": 8,
        "data.most_neighbours": 8,
        "model.embedding_dim": 8,
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


# Keys that other proteins have no use for; the tests of those read them.
OF_STRINGS = {"config.views.structure.mask"}
OF_LANGUAGE_MODELS = {
    f"config.model.language.{name}" for name in ("lora_kernels", "lora_rank", "trained_blocks")
}


@pytest.fixture
def _made_up(monkeypatch):
    monkeypatch.setattr(sets, "read", lambda folder: made_up())


@pytest.mark.usefixtures("_made_up")
def test_a_pair_keeps_its_residues_in_line_and_others_do_not():
    settings = config(**{"views.structure.noise": 0.0, "views.sequence.mask": 0.0})
    dataset = field.load_data(settings, pathlib.Path())
    batch_at = batches.batches(dataset, seed=0, num_matched=4, num_unmatched=4)
    x, y = field.views(jax.random.key(0), batch_at(0), settings)
    known = made_up()
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
    dataset = field.load_data(settings, pathlib.Path())
    batch = batches.batches(dataset, seed=0, num_matched=4, num_unmatched=4)(0)
    views = [field.views(jax.random.key(0), batch, c) for c in (settings, config())]
    (hidden, moved), (_, near) = views
    assert 0.3 < float(jnp.mean((hidden == 22).astype(jnp.float32))) < 0.7
    assert 0.8 < float(jnp.std(moved["backbone"] - near["backbone"])) < 1.2


@pytest.mark.usefixtures("_made_up")
@pytest.mark.slow
def test_it_trains_resumes_and_is_evaluated(tmp_path):
    read: set[str] = set()
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
        loop.train(Recorder(config(), read), tmp_path)
        assert int(loop.train(config(), tmp_path).step) == 2
        assert leaves(config()).keys() - read == OF_STRINGS | OF_LANGUAGE_MODELS
        figures = evaluate.evaluate(tmp_path)["metrics"]
        assert figures.keys() >= {"crop_mrr", "length_matched_mrr", "class_transfer"}
        assert all(0 <= f["low"] <= f["value"] <= f["high"] <= 1 for f in figures.values())
        assert len(evaluate.search(tmp_path, "acdefghxx*", num=3)) == 3


@pytest.mark.slow
def test_strings_for_structures_train_and_each_test_set_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "read", lambda folder: strings())
    read: set[str] = set()
    with jax.numpy_dtype_promotion("standard"):
        loop.train(Recorder(config(), read), tmp_path)
        assert read >= OF_STRINGS
        figures = evaluate.evaluate(tmp_path)["metrics"]
    for name in ("crop_mrr", "class_transfer"):
        of_sets = [figures[f"{split}/{name}"]["value"] for split in ("test_a", "test_b")]
        assert figures[name]["value"] == pytest.approx(np.mean(of_sets))


@pytest.mark.usefixtures("_made_up")
@pytest.mark.slow
def test_low_rank_updates_of_esm2_are_trained_and_it_is_not(tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"vocab_size": 33, "intermediate_size": 16, "pad_token_id": 1, "mask_token_id": 32}
    original = transformers.EsmModel(
        transformers.EsmConfig(**sizes, position_embedding_type="rotary", token_dropout=True)
    )
    original.save_pretrained(tmp_path / "esm2")
    language = {"encoder": str(tmp_path / "esm2"), "lora_rank": 2}
    settings = config(**{f"model.language.{key}": value for key, value in language.items()})
    dataset = field.load_data(settings, pathlib.Path())
    first = field.init_params(settings, dataset, field.build_model(settings, dataset))["x_tower"][
        "language"
    ]
    read: set[str] = set()
    with jax.numpy_dtype_promotion("standard"):
        state = loop.train(Recorder(settings, read), tmp_path / "run")
    assert read >= OF_LANGUAGE_MODELS
    last = state.params["x_tower"]["language"]
    jax.tree.map(np.testing.assert_array_equal, last["frozen"], first["frozen"])
    changed = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), last["lora"], first["lora"])
    assert any(jax.tree.leaves(changed))
    np.testing.assert_allclose(
        first["frozen"]["words"]["embedding"],
        original.get_parameter("embeddings.word_embeddings.weight").detach().numpy(),
    )


def test_views_of_strings_keep_a_pair_in_line_and_hide_states(monkeypatch):
    monkeypatch.setattr(sets, "read", lambda folder: strings())
    settings = config(**{"views.sequence.mask": 0.0, "views.structure.mask": 0.5})
    dataset = field.load_data(settings, pathlib.Path())
    batch = batches.batches(dataset, seed=0, num_matched=4, num_unmatched=4)(0)
    x, y = field.views(jax.random.key(0), batch, settings)
    seen = y[:4] != 22
    assert 0.3 < float(jnp.mean(seen.astype(jnp.float32))) < 0.7
    np.testing.assert_array_equal(jnp.where(x[:4] < 10, 0, 3)[seen], y[:4][seen])


@pytest.mark.usefixtures("_made_up")
@pytest.mark.parametrize("start", ["cca", "transported_cca"])
def test_all_domains_may_be_pairs(start):
    settings = config(**{"data.matched_fraction": 1.0, "model.start": start})
    dataset = field.load_data(settings, pathlib.Path())
    params = field.init_params(settings, dataset, field.build_model(settings, dataset))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data.crop", 32, "at most config.data.window"),
        ("model.start", "nowhere", "must be one of random, cca"),
    ],
)
def test_keys_that_contradict_are_refused(key, value, message):
    with pytest.raises(ValueError, match=message):
        check(config(**{key: value}))


def test_a_source_must_be_given():
    with pytest.raises(ValueError, match=r"Set config\.data\.folder"):
        data.read("", "some.fasta", "", "", seed=0)


def test_crops_shorter_than_asked_are_no_task():
    with pytest.raises(ValueError, match=r"lower config\.data\.crop"):
        data.load_data(
            made_up(),
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


def test_likeness_is_by_shared_words_of_five_residues():
    rng = np.random.default_rng(0)
    one, other = rng.integers(20, size=(2, 30)).astype(np.int8)
    near = np.concatenate([one[:15], other[:15]])  # 11 of its 26 words are in each
    known = dataclasses.replace(
        made_up(4),
        sequence=np.concatenate([one, near, other, other[:4]]),
        offsets=np.array([0, 30, 60, 90, 94]),
    )
    assert domains.distinct(known, np.arange(4)).tolist() == [0, 2, 3]
    assert domains.distinct(known, np.array([1, 0, 2])).tolist() == [1]
    assert domains.distinct(known, np.arange(3), most=0.5).tolist() == [0, 1, 2]


def test_sets_of_strings_are_read(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    scope = {
        "sid": ["a", "b", "c"],
        "sequence": ["ACX", "DE", "FG"],
        "ss8": ["HLE", "GG", "TS"],
        "hou_split": ["train", "train", "test_fold"],
        "train_ok": [True, False, False],
        "scop_class": ["a", "b", ""],
        "hou_fold": ["a.1", "b.1", "c.1"],
    }
    path = tmp_path / "domains.parquet"
    pq.write_table(pa.table(scope), path)
    known = sets.read(tmp_path)
    assert known.sequence.tolist() == [0, 1, domains.UNKNOWN, 2, 3, 4, 5]
    assert "".join(domains.STATES[i] for i in known.structure) == "HLEGGTS"
    assert known.split.tolist() == ["train", "left out", "test_fold"]
    assert known.test_splits == ["test_fold"]
    assert known.labels["class"].tolist() == ["a", "b", ""]

    pq.write_table(pa.table(scope | {"ss8": ["HL", "GG", "TS"]}), path)
    with pytest.raises(ValueError, match="a has 3 residues and 2 states"):
        sets.read(tmp_path)
    pq.write_table(pa.table({k: v for k, v in scope.items() if k != "ss8"}), path)
    with pytest.raises(ValueError, match="has no column ss8"):
        sets.read(tmp_path)
    path.write_bytes(b"broken")
    with pytest.raises(ValueError, match="cannot be read"):
        sets.read(tmp_path)


def test_a_folder_of_something_else_is_said(tmp_path):
    with pytest.raises(ValueError, match="has none of coords"):
        sets.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("scope-seq-ss", {"train": 9781, "valid": 581, "test_fold": 576, "test_family": 1070}),
        ("enzyme-reaction-ec", {"train": 8953, "valid": 660, "test": 1633}),
    ],
)
def test_the_real_sets_of_strings(shared_data, name, sizes):
    known = sets.read(shared_data(name))
    assert {split: len(known.rows(split)) for split in sizes} == sizes
    assert (known.structure < len(domains.STATES)).all()


def test_the_real_domains(shared_data):
    known = sets.read(shared_data("pdb-domains-3d"))
    test = known.rows("test")
    assert (len(known.ids), len(test)) == (4944, 508)
    assert not np.isin(known.ids[test], sets.LEAKS).any()
    assert len(domains.crops(known, test, 64)[0]) == 460


PREPARED = {
    "pdb-domains-3d": ("domains.parquet", "id", "split"),
    "scope-seq-ss": ("domains.parquet", "sid", "hou_split"),
    "enzyme-reaction-ec": ("chains.parquet", "chain", "split"),
}


@pytest.mark.parametrize("name", PREPARED)
def test_what_was_prepared_is_what_it_was_made_from(name, tmp_path):
    pytest.importorskip("tensorflow_datasets")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng, source = np.random.default_rng(0), tmp_path / "source"
    source.mkdir()
    ids = ["a", "b", sets.LEAKS[0], "c", "d", "e"]
    lengths = rng.integers(4, 9, size=len(ids))
    sequences = ["".join(rng.choice([*domains.AMINO_ACIDS], size=n)) for n in lengths]
    file, id_column, split_column = PREPARED[name]
    table = {id_column: ids, split_column: ["train", "valid", "train", "test", "train", "train"]}
    table |= {
        "sequence": sequences,
        "ss8": ["".join(rng.choice([*"HEL"], size=n)) for n in lengths],
    }
    table |= {
        "pdb-domains-3d": {"cath_class": [*"123412"], "cath_topology": ["1.10.8"] * 6},
        "scope-seq-ss": {
            "train_ok": [True] * 4 + [False, True],
            "scop_class": [*"abcabc"],
            "hou_fold": ["a.1"] * 6,
        },
        "enzyme-reaction-ec": {"ec": ["1.1.1.1", "2.7.1.1"] * 3},
    }[name]
    pq.write_table(pa.table(table), source / file)
    if name == "pdb-domains-3d":
        atoms = rng.integers(-3000, 3000, size=(lengths.sum(), 3, 3)).astype(np.int16)
        atoms[5, 0] = -32768
        letters = np.frombuffer("".join(sequences).encode(), np.uint8)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        np.savez(source / "coords.npz", id=np.array(ids), offsets=offsets, aa=letters, bb=atoms)
    prepare.prepare(name, source, tmp_path / "prepared")
    one, other = (sets.read(path) for path in (source, tmp_path / "prepared" / name))
    assert one.split.tolist().count("left out") == (name != "enzyme-reaction-ec")
    for split in ("train", "valid", "test", "left out"):
        rows = one.rows(split), other.rows(split)
        np.testing.assert_array_equal(one.ids[rows[0]], other.ids[rows[1]])
        for kind in one.labels:
            np.testing.assert_array_equal(one.labels[kind][rows[0]], other.labels[kind][rows[1]])
        for row, found in zip(*rows):
            first, second = (
                slice(proteins.offsets[k], proteins.offsets[k + 1])
                for proteins, k in ((one, row), (other, found))
            )
            np.testing.assert_array_equal(one.sequence[first], other.sequence[second])
            np.testing.assert_array_equal(one.structure[first], other.structure[second])
    assert one.structure.dtype == other.structure.dtype


def test_prepared_names_of_proteins_have_no_structures(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "source").mkdir()
    table = pa.table({"accession": ["a"], "sequence": ["MK"], "name": ["b"]})
    pq.write_table(table, tmp_path / "source" / "proteins.parquet")
    prepare.prepare("uniprot-names", tmp_path / "source", tmp_path / "prepared")
    with pytest.raises(ValueError, match="has no protein structures"):
        sets.read(tmp_path / "prepared" / "uniprot-names")
