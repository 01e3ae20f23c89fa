import collections
import json

import numpy as np
import pytest

from gentle_clip_jax.tasks.icons import data

SIZES = {"num_test": 700, "num_validation": 300}
DATASET = SIZES | {
    "split_seed": 0,
    "matched_fraction": 0.1,
    "num_classes": 40,
    "vocab_size": 1500,
    "max_tokens": 12,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache") / "below" / "icons.npz"


@pytest.fixture(scope="module")
def glyphs(cache):
    return data.load_icons(cache)


@pytest.fixture(scope="module")
def dataset(cache, glyphs):
    return data.load_data(cache, seed=0, **DATASET)


def names(dataset):
    """Names of the training pairs, of the validation and of the test items."""
    return tuple(part.names for part in (dataset.matched, dataset.validation, dataset.test))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("account", "account"),
        ("account-box-outline", "account box"),
        ("airplane-bold", "airplane"),
        ("heart-fill-duotone", "heart"),
        ("flash-outline-off", "flash outline off"),
        ("outline", "outline"),
        ("light-bulb", "light bulb"),
        ("bold-outline", "bold"),
    ],
)
def test_stem_drops_trailing_styles_alone(name, stem):
    assert data.stem(name) == stem


def test_every_glyph_has_ink_and_room(glyphs):
    assert glyphs.images.shape == (len(glyphs), 32, 32)
    assert glyphs.images.dtype == np.uint8
    assert (glyphs.images.max(axis=(1, 2)) > 127).all()
    assert glyphs.images.mean() < 127
    assert set(glyphs.fonts) == set(data.FONTS)
    assert (glyphs.fonts == "material").sum() > 7000
    assert len(glyphs) > 15000


def test_names_are_stems(glyphs):
    assert all(name and data.stem(name.replace(" ", "-")) == name for name in glyphs.names)


def test_the_cache_holds_what_was_rendered(cache, glyphs, monkeypatch):
    monkeypatch.setattr(data, "render_fonts", pytest.fail)
    again = data.load_icons(cache)
    for name in ("images", "names", "fonts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(glyphs, name))


def test_another_size_is_rendered_anew(tmp_path, monkeypatch):
    one = data.Icons(np.zeros((1, 8, 8), np.uint8), np.array(["a"]), np.array(["material"]))
    monkeypatch.setattr(data, "render_fonts", lambda size: one)
    data.load_icons(tmp_path / "icons.npz", 8)
    monkeypatch.setattr(data, "render_fonts", lambda size: glyph_of(size))

    def glyph_of(size):
        return data.Icons(np.zeros((1, size, size), np.uint8), one.names, one.fonts)

    assert data.load_icons(tmp_path / "icons.npz", 16).images.shape == (1, 16, 16)


@pytest.mark.parametrize("keep", [0, 1, 100, -7, "wrong arrays", "text"])
def test_a_corrupt_cache_is_named(cache, glyphs, tmp_path, keep):
    broken = tmp_path / "icons.npz"
    if keep == "text":
        broken.write_text("not an archive")
    elif keep == "wrong arrays":
        np.savez(broken, images=glyphs.images[:1])
    else:
        broken.write_bytes(cache.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"icons.npz cannot be read .*delete it and run again"):
        data.load_icons(broken)


def test_a_flipped_byte_in_the_cache_is_noticed(cache, glyphs, tmp_path):
    content = bytearray(cache.read_bytes())
    content[len(content) // 2] ^= 1
    broken = tmp_path / "icons.npz"
    broken.write_bytes(content)
    with pytest.raises(ValueError, match=r"icons.npz cannot be read .*delete it and run again"):
        data.load_icons(broken)


@pytest.fixture
def font_folder(tmp_path, monkeypatch):
    """A folder for fonts that the loader looks into instead of qtawesome's."""
    monkeypatch.setattr(data, "_font_folder", lambda: tmp_path)
    return tmp_path


def put_font(folder, font=b"no font", charmap='{"account": "0xf004"}'):
    (folder / f"{data.FONTS['material']}-6.9.96.ttf").write_bytes(font)
    (folder / f"{data.FONTS['material']}-charmap-6.9.96.json").write_text(charmap)


def test_a_missing_font_is_named(font_folder):
    with pytest.raises(ValueError, match=r"No font file materialdesign.* in .*reinstall qtawesome"):
        data.load_icons(font_folder / "icons.npz")


def test_a_corrupt_font_is_named(font_folder):
    put_font(font_folder)
    with pytest.raises(ValueError, match=r"font .*6.9.96.ttf cannot be read .*reinstall"):
        data.load_icons(font_folder / "icons.npz")


@pytest.mark.parametrize("charmap", ["{", '{"account": "glyph"}', "[1]", json.dumps({"a": 1})])
def test_a_corrupt_charmap_is_named(font_folder, charmap):
    put_font(font_folder, charmap=charmap)
    with pytest.raises(ValueError, match=r"names in .*6.9.96.json cannot be read .*reinstall"):
        data.load_icons(font_folder / "icons.npz")


def test_held_out_items_are_exact_and_disjoint_by_stem(dataset):
    matched, validation, test = map(set, names(dataset))
    assert len(dataset.test) == 700
    assert len(dataset.validation) == 300
    assert not matched & validation
    assert not matched & test
    assert not validation & test


def test_no_training_text_or_image_is_of_a_held_out_stem(dataset, glyphs):
    held_out = np.concatenate([dataset.validation.names, dataset.test.names])
    forbidden = {tokens.tobytes() for tokens in dataset.metadata.encode(held_out)}
    trained = np.concatenate([dataset.matched.y, dataset.unmatched_y])
    assert forbidden.isdisjoint(tokens.tobytes() for tokens in trained)
    # Other fonts draw held-out stems too: all of those stay out, and nothing else does.
    of_held_out = np.isin(glyphs.names, held_out)
    assert (of_held_out & (glyphs.fonts != "material")).any()
    assert len(dataset.matched) + len(dataset.unmatched_x) == (~of_held_out).sum()


def test_matched_fraction_and_classes(dataset, glyphs):
    num_train = (glyphs.fonts == "material").sum() - 1000
    assert len(dataset.matched) == round(0.1 * num_train)
    assert len(dataset.metadata.classes) == len(set(dataset.metadata.classes)) == 40


def test_unmatched_texts_are_distinct(dataset):
    assert len(np.unique(dataset.unmatched_y, axis=0)) == len(dataset.unmatched_y)
    assert len(dataset.unmatched_y) < len(dataset.unmatched_x)


def few_icons():
    """Icons whose glyphs are numbered; heads come the more often the later in the alphabet.

    Half of the names of the other font are of icons of the matched domain too.
    """
    heads = [head for k, head in enumerate("abcdefgh") for _ in range(3 * (k + 1))]
    own = [f"{2 * head} n{i}" for i, head in enumerate(heads)]
    other = own[::4] + [f"zz m{i}" for i in range(27)]
    numbers = np.arange(len(own) + len(other), dtype=np.uint8)
    fonts = np.repeat(["material", "remix"], [len(own), len(other)])
    glyphs = numbers[:, None, None] * np.ones((1, 4, 4), np.uint8)
    return data.Icons(glyphs, np.array(own + other), fonts)


@pytest.fixture
def few(monkeypatch):
    """The few icons, the data set of them, and the names that the tokenizer was made from."""
    icons, seen, train = few_icons(), [], data.train_tokenizer
    monkeypatch.setattr(data, "load_icons", lambda cache, size: icons)
    monkeypatch.setattr(
        data, "train_tokenizer", lambda names, size: seen.extend(names) or train(names, size)
    )
    settings = DATASET | {"num_test": 24, "num_validation": 12, "num_classes": 4}
    return icons, data.load_data(None, seed=0, **settings), seen


def test_classes_and_vocabulary_are_of_training_names_alone(few):
    icons, dataset, seen = few
    held_out = {*dataset.validation.names, *dataset.test.names}
    known = [name for name in icons.names if name not in held_out]
    assert {*seen} == {*known}
    training = [name for name in icons.names[icons.fonts == "material"] if name not in held_out]
    expected, of_test = (
        [word for word, _ in collections.Counter(map(data.head_word, names)).most_common(4)]
        for names in (training, dataset.test.names)
    )
    assert dataset.metadata.classes == expected != of_test


def test_unmatched_texts_have_an_order_of_their_own(few):
    icons, dataset, _ = few
    numbers = dataset.unmatched_x[:, 0, 0]
    held_out = {*dataset.validation.names, *dataset.test.names}
    assert held_out.isdisjoint(icons.names[numbers])
    tokens = dataset.metadata.encode(icons.names)
    texts = {row.tobytes(): name for row, name in zip(tokens, icons.names)}
    order = [texts[row.tobytes()] for row in dataset.unmatched_y]
    assert sorted(order) == sorted({*icons.names[numbers]})
    of_images = icons.names[numbers[: len(order)]]
    for other in (of_images, sorted(order)):
        assert np.mean(np.array(order) == np.array(other)) < 0.1


def test_seeds(cache, dataset):
    same, other = (data.load_data(cache, seed=seed, **DATASET) for seed in (0, 1))
    np.testing.assert_array_equal(same.matched.x, dataset.matched.x)
    np.testing.assert_array_equal(same.unmatched_y, dataset.unmatched_y)
    # Another seed chooses other pairs, but is judged on the same items.
    assert set(other.matched.names) != set(dataset.matched.names)
    np.testing.assert_array_equal(other.test.x, dataset.test.x)
    np.testing.assert_array_equal(other.validation.names, dataset.validation.names)


def test_another_split_seed_holds_out_others(cache, dataset):
    other = data.load_data(cache, seed=0, **DATASET | {"split_seed": 1})
    assert set(other.test.names) != set(dataset.test.names)


def test_a_held_out_name_has_no_unknown_token(dataset):
    unknown = 1
    for items in (dataset.validation, dataset.test):
        assert not (items.y == unknown).any()
        assert (items.y[:, 0] != 0).all()


def test_head_word():
    assert data.head_word("account box") == "account"
