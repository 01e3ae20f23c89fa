"""A gallery is drawn for queries of the other side, embedded before or on the spot."""

import numpy as np
import pytest
from by_folder import embed_files, open_gallery

from gentle_clip_jax.aligners import gallery
from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.searching.embed import RANKED

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """400 items of both sides, 20 pairs, and an aligner that draws x."""
    work = tmp_path_factory.mktemp("work")
    latent = RNG.normal(size=(8, 4))[RNG.integers(8, size=400)] + 0.3 * RNG.normal(size=(400, 4))
    ids = np.array([f"item {i}" for i in range(400)])
    for side, width in (("x", 7), ("y", 5)):
        features = np.float32(latent @ RNG.normal(size=(4, width)))
        np.savez(work / f"{side}.npz", features=features, ids=ids)
    (work / "pairs.csv").write_text("".join(f"{id_},{id_}\n" for id_ in ids[:20]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "_gains", lambda features, seed: (0, 0))
        align(
            work / "x.npz",
            work / "y.npz",
            work / "pairs.csv",
            out=work / "aligner",
            method="cca",
        )
    return work


def test_search_ranks_what_is_drawn(work):
    raw = open_gallery(work / "aligner", work / "x.npz")
    embed_files(work / "aligner", work / "x.npz", work / "embedded", side="x")
    embedded = open_gallery(work / "aligner", work / "embedded")
    query = raw.opened.embed("y", np.load(work / "y.npz")["features"][30:31])
    expected = raw.opened.draw("x", raw.rows) @ query[0]
    found = raw._hits("y", query, 5)
    assert [hit.id for hit in found] == [f"item {i}" for i in np.argsort(-expected)[:5]]
    assert [hit.id for hit in embedded._hits("y", query, 5)] == [hit.id for hit in found]
    assert np.abs(raw.opened.draw("x", raw.rows) - raw.rows).max() > 0.01


def test_items_alike_are_found_by_the_rows_as_they_are(work):
    raw = open_gallery(work / "aligner", work / "x.npz")
    found = [hit.id for hit in raw.like("item 30", 5)]
    cosines = raw.rows @ raw.rows[30]
    assert found == [f"item {i}" for i in np.argsort(-cosines) if i != 30][:5]


def test_what_is_not_drawn_is_not_written(work):
    embed_files(work / "aligner", work / "y.npz", work / "of_y", side="y")
    assert not (work / "of_y" / RANKED).exists()
    embed_files(work / "aligner", work / "x.npz", work / "of_y", side="x")
    assert (work / "of_y" / RANKED).exists()
    embed_files(work / "aligner", work / "y.npz", work / "of_y", side="y")
    assert not (work / "of_y" / RANKED).exists()
