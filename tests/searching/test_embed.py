"""`embed` holds a block of rows at a time; its folder is whole, or is not read."""

import numpy as np
import pytest
from by_folder import embed_files

from gentle_clip_jax.aligners import gallery
from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read
from gentle_clip_jax.searching import embed
from gentle_clip_jax.searching.embed import RANKED
from gentle_clip_jax.searching.opened import Opened
from gentle_clip_jax.training.loading import open_aligner


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """400 rows of either side in .npy files, and an aligner of 20 pairs that draws x."""
    work, rng = tmp_path_factory.mktemp("work"), np.random.default_rng(0)
    for side, width in (("x", 7), ("y", 5)):
        np.save(work / f"{side}.npy", rng.normal(size=(400, width)).astype(np.float32))
    (work / "pairs.csv").write_text("".join(f"{i},{i}\n" for i in range(20)))
    given = [work / name for name in ("x.npy", "y.npy", "pairs.csv")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "_gains", lambda features, seed: (0, 0))
        align(*given, out=work / "aligner", method="cca")
    return work


@pytest.fixture
def sizes(monkeypatch):
    """How many rows were embedded at once, call by call, in blocks of 64."""
    monkeypatch.setattr(embed, "_BLOCK", 64)
    sizes, whole = [], Opened.embed

    def counted(opened, side, features):
        sizes.append(len(features))
        return whole(opened, side, features)

    monkeypatch.setattr(Opened, "embed", counted)
    return sizes


def test_rows_are_embedded_block_by_block(work, tmp_path, sizes):
    embed_files(work / "aligner", work / "x.npy", tmp_path / "out", side="x")
    assert sizes == [64] * 6 + [16]
    opened, x = open_aligner(work / "aligner"), np.load(work / "x.npy")
    blocks = [opened.embed("x", x[start : start + 64]) for start in range(0, 400, 64)]
    drawn = [opened.draw("x", block) for block in blocks]
    for name, parts in (("features.npy", blocks), (RANKED, drawn)):
        np.save(tmp_path / name, np.concatenate(parts))
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / name).read_bytes()
    assert read(tmp_path / "out").ids.tolist() == [str(i) for i in range(400)]


def test_what_changed_since_is_said(tmp_path, notices):
    """Rows whose source changed, and other features under the ids of the fit."""
    rng = np.random.default_rng(0)
    ids = np.array([f"item {i}" for i in range(40)])
    x, y = (rng.normal(size=(40, width)).astype(np.float32) for width in (7, 5))
    Collection(x, ids).save(tmp_path / "x")
    aligner = align(Collection(x, ids), Collection(y, ids), method="cca", out=tmp_path / "aligner")
    embed_files(tmp_path / "aligner", tmp_path / "x", tmp_path / "out", side="x")
    opened = open_aligner(tmp_path / "aligner")
    opened.read(tmp_path / "out", aligned=True)
    assert not notices()
    Collection(x[::-1], ids).save(tmp_path / "x")
    opened.read(tmp_path / "out", aligned=True)
    assert "x changed since" in notices()
    opened.read(tmp_path / "x", "x")
    assert "but other features: run gentle-clip align again" in notices()
    embed.embed(aligner, x=x[::-1])  # numbers of rows say nothing
    assert not notices()
