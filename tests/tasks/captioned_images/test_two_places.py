"""Images and texts from two places: pairs of a file are matched or held out, the rest unmatched."""

import json
import pathlib
import re
import shlex

import jax
import numpy as np
import pytest
from captioned_sets import config, initial
from PIL import Image

from gentle_clip_jax.data.pairing import choose_matched
from gentle_clip_jax.tasks.captioned_images import listed
from gentle_clip_jax.tasks.captioned_images import task as field
from gentle_clip_jax.tasks.config import load_config
from gentle_clip_jax.training.check import check

ROOT = pathlib.Path(__file__).parents[3]
PLACES = ("data.images", "data.texts", "data.pairs")


@pytest.fixture(scope="module")
def hidden(folder, tmp_path_factory):
    """A set's images and texts apart, and the pairs that matched_fraction=0.25 knows of it."""
    own = tmp_path_factory.mktemp("own")
    known = listed.of_sets(folder, ("one",), 1.0, seed=0)
    chosen = choose_matched(len(known.matched), 0.25, seed=0)
    held_out = [known.validation["one"], known.test["one"]]
    items = [*known.matched, *(item for items in held_out for item in items)]
    pairs = [item for item, is_known in zip(known.matched, chosen) if is_known]
    pairs += [item for items in held_out for item in items]
    lines = [{"id": f"text of {image.id}", "captions": said} for image, said in items]
    (own / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = "image,text\n" + "".join(f"{image.id},text of {image.id}\n" for image, _ in pairs)
    (own / "pairs.csv").write_text(text)
    return [str(folder / "one"), str(own / "texts.jsonl"), str(own / "pairs.csv")]


def own_config(folder, places, **overrides):
    places = dict(zip(PLACES, places))
    return config(folder, **{"data.sets": (), "data.zero_shot": (), **places, **overrides})


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_items_are_those_of_the_matched_fraction(folder, towers, hidden, tmp_path):
    of_sets = config(folder, **{"data.sets": ("one",), "data.zero_shot": ()})
    one = field.load_data(of_sets, tmp_path)
    other = field.load_data(own_config(folder, hidden), tmp_path)
    for part in ("matched", "validation", "test"):
        pairs = [getattr(dataset, part) for dataset in (one, other)]
        same(*([items.x[:], items.y, items.names] for items in pairs))
    same(*([data.unmatched_x[:], data.unmatched_y] for data in (one, other)))
    assert len(other.unmatched_x) == 36


@pytest.mark.slow
def test_the_first_parameters_are_those_of_the_matched_fraction(folder, towers, hidden, tmp_path):
    """All else in a run follows from them and from the items."""
    of_sets = config(folder, **{"data.sets": ("one",), "data.zero_shot": ()})
    both = of_sets, own_config(folder, hidden)
    same(*(initial(one, field.load_data(one, tmp_path)).params for one in both))


@pytest.fixture
def places(tmp_path):
    """Thirty images and forty texts without splits; the first twenty are pairs."""
    (tmp_path / "images").mkdir()
    for number in range(30):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / "images" / f"i{number}.png")
    lines = "".join(f"t{number},a field\n" for number in range(40))
    (tmp_path / "texts.csv").write_text(f"id,text\n{lines}")
    lines = "".join(f"i{number},t{number}\n" for number in range(20))
    (tmp_path / "pairs.csv").write_text(f"image,text\n{lines}")
    return [tmp_path / name for name in ("images", "texts.csv", "pairs.csv")]


def test_without_splits_a_fifth_each_is_held_out(places):
    found, other = (listed.of_two_places(*places, seed=seed) for seed in (0, 1))
    parts = [found.matched, found.validation["images"], found.test["images"]]
    assert [len(part) for part in parts] == [12, 4, 4]
    ids = [image.id for part in parts for image, _ in part]
    assert sorted(ids) == sorted(f"i{number}" for number in range(20))
    assert {image.id for image in found.unmatched_images} == {f"i{k}" for k in range(20, 30)}
    assert len(found.unmatched_captions) == 20
    first = [{image.id for image, _ in one.validation["images"]} for one in (found, other)]
    assert first[0] != first[1]


def test_unmatched_texts_have_an_order_of_their_own(places):
    lines = "".join(f"t{number},{number}\n" for number in range(40))
    places[1].write_text(f"id,text\n{lines}")
    found = listed.of_two_places(*places, seed=0)
    said = [int(captions[0]) for captions in found.unmatched_captions]
    assert sorted(said) == [*range(20, 40)]
    assert said != sorted(said)


def test_splits_of_images_or_of_texts_are_kept(places):
    rows = [{"id": f"i{k}", "split": "val" if k < 3 else "train"} for k in range(30)]
    rows[25]["split"] = "test"  # unmatched, and not to be learned from
    metadata = places[0] / "metadata.jsonl"
    metadata.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(
        ValueError, match=r"pairs.csv belongs to the split test: give pairs of all three"
    ):
        listed.of_two_places(*places, seed=0)
    rows = [row | ({"split": None} if row["id"] == "i9" else {}) for row in rows]
    metadata.write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = {9: "test", 30: "val"}
    lines = "".join(f"t{k},{splits.get(k, '')},a field\n" for k in range(40))
    places[1].write_text(f"id,split,text\n{lines}")
    found = listed.of_two_places(*places, seed=0)
    assert [image.id for image, _ in found.validation["images"]] == ["i0", "i1", "i2"]
    assert [image.id for image, _ in found.test["images"]] == ["i9"]
    assert (len(found.matched), len(found.unmatched_images)) == (16, 9)
    assert len(found.unmatched_captions) == 19


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ("i0,t0\ni1,t99\n", r"pairs.csv, line 2: there is no item 't99'"),
        ("i0,t0\nj1,t1\n", r"pairs.csv, line 2: there is no item 'j1'"),
        ("", r"pairs.csv has no pairs"),
        ("image,text\n", r"pairs.csv, line 1: there is no item 'image'"),
        ("i0,t0\ni1,t1\ni0,t2\n", r"line 3: the item 'i0' of x already has a partner \(line 1\)"),
        ("i0,t0\ni1,t1\ni0,t0\n", r"line 3: the item 'i0' of x already has a partner \(line 1\)"),
        ("i0,t0\ni1,t1\ni2,t1\n", r"line 3: the item 't1' of y already has a partner \(line 2\)"),
        ("i0,t0\ni1,t1\n", r"has 2 pairs: add more; .* at least 5"),
        (None, r"There is no file of pairs"),
    ],
)
def test_pairs_that_cannot_be_used(places, pairs, words):
    places[2].unlink() if pairs is None else places[2].write_text(pairs)
    with pytest.raises(ValueError, match=words):
        listed.of_two_places(*places, seed=0)


def test_texts_that_say_nothing_are_named(places):
    places[1].write_text(places[1].read_text() + "t40,\n")
    with pytest.raises(ValueError, match=r"text t40 of .*texts.csv has no text: fix it or"):
        listed.of_two_places(*places, seed=0)


@pytest.mark.parametrize(
    "lacking", [("data.images",), ("data.texts",), ("data.pairs",), PLACES, ("nothing",)]
)
def test_either_sets_or_all_three(lacking, tmp_path):
    """With sets beside them, none is lacking either."""
    settings = own_config(tmp_path, ["images", "texts.csv", "pairs.csv"])
    with settings.unlocked():
        for key in lacking:
            if key == "nothing":
                settings.data.sets = ("one",)
            else:
                settings.data[key.removeprefix("data.")] = ""
    with pytest.raises(ValueError, match=r"Set either config\.data\.sets"):
        check(settings)


def test_no_matched_fraction_is_needed():
    config = load_config("images_and_texts", ["--config.data.matched_fraction=0"])
    check(config)


def test_the_command_of_the_page_is_a_config_that_fits():
    text = (ROOT / "docs" / "train_encoders.md").read_text().replace("\\\n", " ")
    (command,) = re.findall(r"gentle-clip (train --config=images_and_texts .*)", text)
    arguments = [one for one in shlex.split(command) if one.startswith("--config.")]
    config = load_config("images_and_texts", arguments)
    check(config)
    assert {config.data.images, config.data.texts, config.data.pairs} <= {
        one.partition("=")[2] for one in arguments
    }
