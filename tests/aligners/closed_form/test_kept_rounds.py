import jax
import numpy as np
import pytest

from gentle_clip_jax.aligners import saved
from gentle_clip_jax.aligners.closed_form import transported
from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.kept_rounds import kept_in
from gentle_clip_jax.aligners.closed_form.maps import Maps
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.aligners.problem import Features

ROUNDS = 8


def features(seed=0):
    draw = np.random.default_rng(seed).standard_normal
    shapes = ((20, 1, 6), (20, 1, 5), (60, 1, 6), (60, 1, 5))
    return Features(*(jax.numpy.float32(draw(shape)) for shape in shapes))


def fit(of=None, **settings):
    of = features() if of is None else of
    start = cca(of.x[:, 0], of.y[:, 0], shrinkage=1.0)
    return transported_cca(of, start, batch=32, last_batch=64, **settings)


@pytest.fixture
def refits(monkeypatch):
    """How many rounds were made, of which there may be "most" until they are stopped."""
    real, told = transported._refit, {"made": 0, "most": ROUNDS}

    def refit(*args, **keywords):
        if told["made"] == told["most"]:
            raise KeyboardInterrupt
        told["made"] += 1
        return real(*args, **keywords)

    monkeypatch.setattr(transported, "_refit", refit)
    return told


@pytest.fixture
def stopped(tmp_path, refits):
    """The folder of a fit that was stopped after five rounds."""
    folder = tmp_path / "aligner.rounds"
    refits["most"] = 5
    with pytest.raises(KeyboardInterrupt), kept_in(folder):
        fit()
    refits |= {"made": 0, "most": ROUNDS}
    return folder


def test_a_stopped_fit_goes_on_to_the_same_maps(stopped, refits, notices):
    with kept_in(stopped):
        maps = fit()
    assert refits["made"] == 3
    assert "going on after 5 rounds" in notices()
    assert not stopped.exists()
    refits["made"] = 0
    for one, other in zip(maps, fit()):
        np.testing.assert_array_equal(one, other)
    assert refits["made"] == ROUNDS  # outside of kept_in nothing is kept


@pytest.mark.parametrize(
    "other", [{"of": features(1)}, {"epsilon": 0.05}, {"shrinkage": 2.0}, {"mix": 0.4}]
)
def test_another_fit_begins_anew(stopped, refits, other):
    with kept_in(stopped):
        fit(**other)
    assert refits["made"] == ROUNDS


@pytest.mark.parametrize("name", ["aligner.json", "arrays-*"])
def test_what_is_damaged_is_told_and_not_used(stopped, refits, name, notices):
    (path,) = stopped.glob(name)
    path.write_bytes(path.read_bytes()[:-9])
    with kept_in(stopped):
        fit()
    assert refits["made"] == ROUNDS
    assert f"{path.name} is damaged" in "".join(notices().split("\n"))


def test_what_else_lies_there_stays(tmp_path, stopped):
    (stopped / "mine.txt").write_text("mine")
    with kept_in(stopped):
        fit()
    assert [path.name for path in stopped.iterdir()] == ["mine.txt"]
    start = cca(features().x[:, 0], features().y[:, 0], shrinkage=1.0)
    kinds = {"Maps": Maps}.get
    saved.write(tmp_path / "an aligner", {"maps": start}, {}, kinds)
    with pytest.raises(ValueError, match="holds an aligner"), kept_in(tmp_path / "an aligner"):
        fit()
    with kept_in(tmp_path / "an aligner"):
        pass
    assert saved.read(tmp_path / "an aligner", kinds)


@pytest.mark.slow
def test_align_goes_on_beside_the_aligner(tmp_path, refits, notices, monkeypatch):
    monkeypatch.setitem(transported.transported_cca.__kwdefaults__, "batch", 64)
    draw, turn = np.random.default_rng(0).standard_normal, np.eye(6, 5)
    x = np.float32(draw((110, 6)))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.float32(x @ turn))
    (tmp_path / "pairs.csv").write_text("".join(f"{row},{row}\n" for row in range(30)))
    files, out = [tmp_path / name for name in ("x.npy", "y.npy", "pairs.csv")], tmp_path / "out"
    refits["most"] = 6
    with pytest.raises(KeyboardInterrupt):
        align(*files, out=out, method="transported_cca")
    assert (tmp_path / "out.rounds").is_dir()
    assert not out.exists()
    refits["most"] = 1000  # held-out trials make some too
    align(*files, out=out, method="transported_cca")
    assert "out.rounds: going on after" in notices()
    assert out.is_dir()
    assert not (tmp_path / "out.rounds").exists()
