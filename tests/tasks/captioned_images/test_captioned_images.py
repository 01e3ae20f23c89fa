"""Captioned images from folders to figures, with towers of a few thousand random parameters."""

import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest
from captioned_sets import COLOURS, CONFIGS, WORDS, config, encode, initial
from config_reads import Recorder, leaves
from PIL import Image

from gentle_clip_jax.encoders.clip import ImageTransformer, TextTransformer
from gentle_clip_jax.encoders.published.pretrained import Pretrained
from gentle_clip_jax.tasks.captioned_images import data, listed
from gentle_clip_jax.tasks.captioned_images import task as field
from gentle_clip_jax.tasks.config import load_config
from gentle_clip_jax.training.evaluate import evaluate, search
from gentle_clip_jax.training.loop import train


def load(folder, **options):
    which = {"sets": ("one", "two"), "matched_fraction": 0.25, "seed": 0}
    which |= {name: options.pop(name) for name in which if name in options}
    settings = {
        "folder": folder,
        "zero_shot": ("one:test", "two:"),
        "excluded_labels": ("grey",),
        "prompt": "a photo of {label}",
        "size": 16,
    }
    found = listed.of_sets(folder, **which)
    return data.load_data(encode, folder / "cache", found, **settings | options)


def test_sets_are_joined_and_a_fraction_keeps_its_captions(folder):
    dataset = load(folder)
    assert (len(dataset.matched), len(dataset.unmatched_x), len(dataset.unmatched_y)) == (
        24,
        72,
        72,
    )
    assert (len(dataset.validation), len(dataset.test)) == (16, 24)
    assert dataset.matched.y.shape == (24, 2, 6)
    assert dataset.matched.x[np.array([3, 1])].shape == (2, 16, 16, 3)
    colours = np.array([*COLOURS.values()])
    for items in (dataset.matched, dataset.test):
        seen = items.x[:].mean(axis=(1, 2))
        nearest = np.abs(seen[:, None] - colours[None]).sum(axis=-1).argmin(axis=1)
        assert [[*COLOURS][k] for k in nearest] == [name.split()[1] for name in items.names]


def test_unmatched_captions_are_those_of_the_unmatched_images_in_another_order(folder):
    dataset, other = load(folder), load(folder, matched_fraction=1.0)
    assert len(other.unmatched_x) == 0
    everything = sorted(map(bytes, other.matched.y))
    assert sorted(map(bytes, [*dataset.matched.y, *dataset.unmatched_y])) == everything
    shown = [one.label for one in dataset.unmatched_x.listed]
    said = [WORDS[tokens[1]] for tokens in dataset.unmatched_y[:, 0]]
    assert np.mean(np.array(shown) == np.array(said)) < 0.4  # one in four by chance
    assert [one.label for one in dataset.matched.x.listed] == [
        WORDS[tokens[1]] for tokens in dataset.matched.y[:, 0]
    ]


def test_validation_items_decide_and_test_items_are_told(folder, monkeypatch):
    """By towers that see the colour and read its word; the captions of one split are wrong."""
    colours = np.array([*COLOURS.values()])

    def see(model, params, images, method):
        seen = images[:].mean(axis=(1, 2))
        nearest = np.abs(seen[:, None] - colours[None]).sum(axis=-1).argmin(axis=1)
        return np.eye(len(WORDS), dtype=np.float32)[[WORDS.index([*COLOURS][k]) for k in nearest]]

    def read(model, params, tokens, method):
        known = np.isin(tokens, [WORDS.index(word) for word in COLOURS])
        return np.eye(len(WORDS), dtype=np.float32)[(tokens * known).max(axis=1)]

    monkeypatch.setattr(field, "of_images", see)
    monkeypatch.setattr(field, "of_texts", read)
    dataset = load(folder)
    for wrong in ("validation", "test"):
        items = getattr(dataset, wrong)
        spoilt = dataclasses.replace(items, y=np.roll(items.y, 1, axis=0))
        one = dataclasses.replace(dataset, **{wrong: spoilt})
        validated = field.validate(None, None, one)["i2t_r5"]
        told = field.evaluate(None, None, one)["i2t_r5"]["value"]
        assert (validated, told) == ((0, 1) if wrong == "validation" else (1, 0))


def test_a_view_of_an_item_is_any_of_its_captions(folder):
    matched = load(folder).matched
    part = {"x": np.zeros((24, 4, 4, 3), np.uint8), "y": matched.y}
    _, tokens = field.views(jax.random.key(0), {"matched": part}, config(folder))
    which = [
        [bytes(row) for row in own].index(bytes(np.asarray(text)))
        for own, text in zip(matched.y, tokens)
    ]
    assert 5 < sum(which) < 19


def test_the_seed_chooses_the_pairs_and_not_what_is_judged(folder):
    first, again, other = (load(folder, seed=seed) for seed in (0, 0, 1))
    ids = [[image.id for image in dataset.matched.x.listed] for dataset in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]
    np.testing.assert_array_equal(first.test.y, other.test.y)


def test_classes_that_are_excluded_are_left_out(folder):
    classified = load(folder).metadata.test["one"]
    assert len(classified.classes) == 3
    assert len(classified.images) == len(classified.labels) == 9


def test_a_set_that_is_not_there_is_named(folder):
    with pytest.raises(ValueError, match="three"):
        load(folder, sets=("three",))


def test_an_image_without_caption_is_named(folder, tmp_path):
    (tmp_path / "bare").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "bare" / "lonely.png")
    line = {"id": "lonely", "split": "train", "label": "red", "captions": []}
    other = line | {"id": "other", "captions": ["a red field"]}
    rows = "\n".join(map(json.dumps, (line, other)))
    (tmp_path / "bare" / "metadata.jsonl").write_text(rows)
    with pytest.raises(ValueError, match="no caption, such as lonely"):
        load(tmp_path, sets=("bare",))


def test_an_image_that_cannot_be_read_is_named(folder):
    dataset = load(folder)
    broken = dataset.test.x.listed[0]._replace(read=lambda: b"no image")
    rows = data.ImageRows([broken], 16)
    with pytest.raises(ValueError, match=f"The image {broken.id} .* fix it or remove it"):
        rows[:]


@pytest.mark.slow
@pytest.mark.parametrize("start", ["cca", "transported_cca"])
def test_heads_start_as_a_map_that_finds_more_than_chance(
    folder, towers, tmp_path, start, monkeypatch
):
    settings = config(folder, **{"model.start": start})
    dataset = field.load_data(settings, tmp_path)
    state = initial(settings, dataset)
    monkeypatch.setattr(field.start, "from_pairs", None)  # from the cache
    again = initial(settings, dataset)
    jax.tree.map(np.testing.assert_array_equal, state.params, again.params)
    model = field.build_model(settings, dataset)
    figures = field.validate(model, state.params, dataset)
    # Of eight images in a set two have the same colour, and four the same caption twice.
    assert figures["i2t_r5"] > 0.8
    assert figures["zero_shot_accuracy"] > 0.5


@pytest.mark.slow
def test_a_start_of_other_items_is_not_taken(folder, towers):
    settings = config(folder)
    dataset = field.load_data(settings, folder)
    params = initial(settings, dataset).params

    def digest(params=params, **parts):
        return field.start.digest([], params, dataclasses.replace(dataset, **parts))

    def spoilt(rows, read):
        return dataclasses.replace(
            rows, listed=[rows.listed[0]._replace(read=read), *rows.listed[1:]]
        )

    def lost():
        raise ValueError("is lost")

    rows, matched = dataset.unmatched_x, dataset.matched
    tower = jax.tree.map(lambda leaf: leaf + 1, params["y_tower"])
    digests = [
        digest(),
        digest(params | {"y_tower": tower}),
        digest(unmatched_x=spoilt(rows, lambda: b"another picture")),
        digest(unmatched_x=spoilt(rows, lost)),
        digest(unmatched_y=dataset.unmatched_y[::-1]),
        digest(matched=dataclasses.replace(matched, x=spoilt(matched.x, lambda: b"another"))),
        digest(matched=dataclasses.replace(matched, y=matched.y[::-1])),
    ]
    assert len({*digests}) == len(digests)
    assert digest(params | {"x_head": None}) == digests[0]


@pytest.mark.slow
def test_towers_that_share_a_space_can_keep_it(folder, towers):
    settings = config(folder, **{"model.start": "identity", "model.embedding_dim": 16})
    dataset = field.load_data(settings, folder)
    state, model = initial(settings, dataset), field.build_model(settings, dataset)
    rows = dataset.test.y[:3, 0]
    tower = {"params": state.params["y_tower"]}
    features = np.asarray(model.y_tower.apply(tower, rows))
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    embedded = model.apply({"params": state.params}, rows, method=model.embed_y)
    np.testing.assert_allclose(embedded, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"features have 16 and 16 dimensions .* is 8"):
        initial(config(folder, **{"model.start": "identity"}), dataset)


@pytest.mark.slow
def test_training_from_folders_to_figures(folder, towers, tmp_path):
    settings = config(folder)
    dataset = field.load_data(settings, tmp_path)
    start, read = initial(settings, dataset), set()
    with jax.numpy_dtype_promotion("standard"):
        state = train(Recorder(settings, read), tmp_path)
    assert read == leaves(settings).keys()
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), start.params, state.params)
    assert not any(jax.tree.leaves(moved["x_tower"]["frozen"]))
    assert all(jax.tree.leaves(moved["y_tower"]["trained"]))
    figures = evaluate(tmp_path)["metrics"]
    assert {"mean_recall", "zero_shot_accuracy", "one/i2t_r1", "two/zero_shot_accuracy"} <= {
        *figures
    }
    assert len(search(tmp_path, "blue field", num=3)) == 3
    with np.load(tmp_path / "embeddings.npz") as arrays:
        assert arrays["pictures"].shape == (24, 16, 16, 3)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.start", "cc", "config.model.start must be one of"),
        ("model.image.trained_blocks", 3, "last 3 blocks"),
        ("data.folder", "nowhere", "nowhere"),
    ],
)
def test_a_config_that_cannot_be_met_is_refused(folder, towers, tmp_path, key, value, message):
    with pytest.raises(ValueError, match=message):
        train(config(folder, **{key: value}), tmp_path)


@pytest.mark.slow
def test_clips_towers_take_a_step_as_their_config_says(folder, tmp_path, monkeypatch):
    models = {
        "image": ImageTransformer(width=16, depth=1, num_heads=2, hidden=16),
        "text": TextTransformer(vocab_size=64, depth=1, dim=512),
    }
    rows = {"image": np.zeros((1, 224, 224, 3), np.uint8), "text": np.ones((1, 77), np.int32)}

    def load(encoder, role):
        params = jax.jit(models[role].init)(jax.random.key(0), rows[role])["params"]
        return Pretrained(models[role], params, pathlib.Path(encoder), role)

    monkeypatch.setattr(field, "_load", load)
    monkeypatch.setattr(field.pretrained, "folder", pathlib.Path)
    monkeypatch.setattr(field, "read_tokenizer", lambda folder: encode)
    settings = load_config(CONFIGS / "remote_sensing_clip.py", [])
    overrides = {
        "data.folder": str(folder),
        "data.sets": ("one",),
        "data.zero_shot": ("one:test",),
        "data.prompt": "a photo of {label}",
        "data.matched_fraction": 0.25,
        "train.steps": 1,
        "train.batch_matched": 4,
        "train.batch_unmatched": 4,
    }
    with settings.unlocked():
        settings.update_from_flattened_dict(overrides)
    with jax.numpy_dtype_promotion("standard"):
        assert int(train(settings, tmp_path).step) == 1
    figures = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in figures if line["kind"] == "validation"] == [0, 1]
