"""Every file that is written and read again, damaged in five ways, opened by all that opens it.

What comes is as it was without the damage, or the damaged file is named: in the one sentence of a
ValueError or, where the program helps itself, in what it prints. Whatever else there was is there.
"""

import contextlib
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_encoders
import tiny_run
from damages import DAMAGES
from jax.sharding import AxisType

from gentle_clip_jax import comparing
from gentle_clip_jax.aligners import Problem, align, gallery, load
from gentle_clip_jax.features import update
from gentle_clip_jax.features.read import read
from gentle_clip_jax.parallel import mesh
from gentle_clip_jax.runs.read import lines_of, read_line, read_run
from gentle_clip_jax.searching import open_gallery
from gentle_clip_jax.searching.embed import embed
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import evaluate, loop, train_state
from gentle_clip_jax.training.loading import open_aligner
from gentle_clip_jax.training.restored import restore

# Orbax drops its pending reads when one fails, and Python reports them whenever they are collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

EACH_WAY = pytest.mark.parametrize("way", DAMAGES)
# The program reads no more of these than that they are there.
UNREAD = r".*(lock|lock\.holder|/events[^/]*|commit_success\.txt)"


def files_of(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


def same(one, other):
    """Whether two results are equal, to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (np.ndarray, jax.Array)):
        return np.array_equal(one, other)
    return one == other


def names(said, folder, damaged):
    """Whether what was said names a damaged file, or the step of a checkpoint that it is of."""
    said = "".join(said.split())  # a console breaks long lines
    step = re.match(r"checkpoints/(\d+)/", str(damaged.relative_to(folder)))
    return str(damaged) in said or (step and f"Checkpoint{step[1]}isdamaged" in said)


class Walk:
    """Copies a sound folder for each of its files, damages that file, and opens the copy."""

    def __init__(self, sound, way, tmp_path, notices):
        self.sound, self.way, self.tmp_path, self.notices = sound, way, tmp_path, notices
        self.tried, self.said, self.wrong = 0, "", []

    def copies(self):
        """Yields a folder and the damaged file in it, for each of the files."""
        for place in files_of(self.sound):
            before = (self.sound / place).read_bytes()
            if (after := DAMAGES[self.way](before)) != before:
                folder = self.tmp_path / "copy"
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(self.sound, folder)
                (folder / place).write_bytes(after)
                self.tried += 1
                yield folder, folder / place

    def open(self, opening, expected, folder, damaged, *, partly=None):
        """What an opening gives, None for an error; notes whether it is as it should be."""
        self.notices()
        found, said, note = None, "", self.note(f"{opening.__name__}: {damaged.name}")
        try:
            found = opening(folder)
        except ValueError as error:
            said = str(error)
            note("\n" not in said and said.endswith("."), f"no sentence: {said!r}")
        except Exception as error:
            note(False, f"{type(error).__name__}: {error}")
            return None
        self.said = said = said + self.notices()
        is_right = found is not None and (same(found, expected) or (partly and partly(found)))
        note(is_right or names(said, folder, damaged), f"not named: {said!r}")
        return found

    def note(self, what):
        return lambda is_right, why: None if is_right else self.wrong.append(f"{what}: {why}")

    def keep(self, folder, damaged, *, but=r"a^"):
        """Notes whether all is there that was, the damaged bytes too."""
        now, note = contents(folder), self.note(str(damaged.relative_to(folder)))
        wanted = contents(self.sound)
        place = damaged.relative_to(folder)
        wanted[place] = DAMAGES[self.way](wanted[place])
        for name, content in wanted.items():
            free = re.fullmatch(f"{but}|{UNREAD}", str(name))
            note(free or content in now.values(), f"{name} is lost")


@pytest.fixture
def walk(tmp_path, notices, record):
    """Of a sound folder, in one way; at the end nothing may have gone wrong."""

    @contextlib.contextmanager
    def walking(sound, way, what):
        found = Walk(sound, way, tmp_path, notices)
        yield found
        assert not found.wrong, "\n".join(found.wrong)
        assert found.tried
        record(f"Each file of {what}: {way}", tried=found.tried)

    return walking


# A trained run ----------------------------------------------------------------------------------

CONFIG = tiny_run.config(**{"train.steps": 4})
DATASET = tiny_run.dataset()


@pytest.fixture(scope="module")
def patched():
    """Training that compiles its step once, on one device: that reads what is saved once too."""
    real, advances = loop.next_state, []
    auto = (AxisType.Auto, AxisType.Auto)
    alone = jax.make_mesh((1, 1), ("data", "fsdp"), auto, devices=jax.devices()[:1])
    model = icons.build_model(CONFIG, DATASET)
    with jax.numpy_dtype_promotion("standard"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(icons, "load_data", lambda config, workdir: DATASET)
        patch.setattr(mesh, "data_mesh", lambda fsdp=1: alone)
        initial = train_state.init_state(CONFIG, icons, DATASET, model)
        patch.setattr(train_state, "init_state", lambda *_: jax.tree.map(jnp.copy, initial))

        def next_state(recipe, teacher=None):
            advances.extend([] if advances else [real(recipe, teacher)])
            return advances[0]

        patch.setattr(loop, "next_state", next_state)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory, patched):
    """The folder of a run that was evaluated, and what comes of opening it."""
    folder = tmp_path_factory.mktemp("sound") / "run"
    loop.train(CONFIG, folder)
    evaluate.evaluate(folder)
    return folder, {opening: opening(folder) for opening in (go_on, best, shown)}


def go_on(folder):
    state = loop.train(CONFIG, folder)
    return {"state": jax.tree.leaves(jax.device_get(state)), "log": logged(folder)}


def logged(folder):
    lines = map(read_line, lines_of(folder / "metrics.jsonl")[:-1])
    return [{name: line[name] for name in line if name != "examples_per_second"} for line in lines]


def best(folder):
    found = restore(folder)
    leaves = jax.tree.leaves(jax.device_get(found.params))
    return {"step": found.step, "params": leaves, "config": found.config.to_dict()}


def shown(folder):
    run = read_run(folder)
    embedded = run.embeddings and run.embeddings._asdict()
    whole = {"config": run.config, "info": run.info, "evaluation": run.evaluation}
    return whole | {"embeddings": embedded, "metrics": run.metrics}


@EACH_WAY
def test_every_file_of_a_run_that_goes_on(run, walk, way):
    """It ends as it did, whichever file but a lock was damaged, and by then nothing is any more."""
    sound, expected = run
    rewritten = r"run\.json|metrics\.jsonl|evaluation\.json"
    with walk(sound, way, "a run that goes on") as files:
        for folder, damaged in files.copies():
            found = files.open(go_on, expected[go_on], folder, damaged)
            files.keep(folder, damaged, but=rewritten)
            note = files.note(str(damaged.relative_to(folder)))
            if damaged.name == "lock" and damaged.stat().st_size:
                continue  # it may be of another program: it stays, and a sentence names it
            if damaged.name == "metrics.jsonl":
                kept = b"".join(path.read_bytes() for path in folder.glob("metrics.jsonl*"))
                for line in DAMAGES[way]((sound / "metrics.jsonl").read_bytes()).split(b"\n")[:-1]:
                    note(line in kept, f"{line} is lost")
            note(found and same(found["state"], expected[go_on]["state"]), "another end")
            if "damaged" in files.said:  # else it begins again as it began
                files.notices()
                note(same(go_on(folder)["state"], expected[go_on]["state"]), "another end, again")
                note(".unsound" not in files.notices(), "damaged still")


@EACH_WAY
def test_every_file_of_a_run_that_is_opened(run, walk, way):
    sound, expected = run
    lines = expected[shown]["metrics"]

    def has_some_lines(found):
        rest = found | {"metrics": lines}
        return same(rest, expected[shown]) and all(line in lines for line in found["metrics"])

    with walk(sound, way, "a run that is opened") as files:
        for folder, damaged in files.copies():
            before = contents(folder)
            files.open(best, expected[best], folder, damaged)
            files.open(shown, expected[shown], folder, damaged, partly=has_some_lines)
            files.note(damaged.name)(contents(folder) == before, "what is read is changed")


# Features, an aligner, a comparison -------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    with pytest.MonkeyPatch.context() as patch:
        tiny_encoders.install(folder, patch)
        yield tiny_encoders.paint(folder / "pictures")


def encode_into(pictures):
    def encoded(folder):
        return columns_of(tiny_encoders.encode_images(pictures, folder))

    return encoded


def read_features(folder):
    return columns_of(read(folder))


def columns_of(rows):
    names = ("features", "ids", "splits", "labels", "texts")
    return {name: getattr(rows, name) for name in names}


@EACH_WAY
def test_every_file_of_features(pictures, tmp_path, walk, way):
    sound, encoded = tmp_path / "sound", encode_into(pictures)
    expected = encoded(sound)
    with walk(sound, way, "features") as files:
        for folder, damaged in files.copies():
            files.open(read_features, expected, folder, damaged)
            found = files.open(encoded, expected, folder, damaged)
            files.keep(folder, damaged)
            files.note(damaged.name)(found and same(found, expected), "not made again")


@EACH_WAY
def test_every_file_of_features_that_are_not_finished(pictures, tmp_path, walk, way, monkeypatch):
    sound, encoded = tmp_path / "sound", encode_into(pictures)
    with monkeypatch.context() as patch:
        patch.setattr(update, "write_features", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            encoded(sound)
    assert (sound / "parts" / "0.npz").exists()
    expected = encoded(tmp_path / "whole")
    with walk(sound, way, "features that are not finished") as files:
        for folder, damaged in files.copies():
            found = files.open(encoded, expected, folder, damaged)
            files.note(damaged.name)(found and same(found, expected), "not made again")


@EACH_WAY
def test_every_file_of_an_aligner(tmp_path, walk, way):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(40, 4))
    x, y = (np.float32(latent @ rng.normal(size=(4, width))) for width in (7, 5))
    sound = tmp_path / "sound"
    align(Problem(x[:16], y[:16], x[16:28], y[28:]), "gentle_transport").save(sound)

    def opened(folder):
        aligner = load(folder)
        return {"x": aligner.embed_x(x), "y": aligner.embed_y(y), "metadata": aligner.metadata}

    expected = opened(sound)
    with walk(sound, way, "an aligner") as files:
        for folder, damaged in files.copies():
            files.open(opened, expected, folder, damaged)
            files.keep(folder, damaged)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """An aligner that draws x, and the folder of items of x in its space."""
    folder, rng = tmp_path_factory.mktemp("embedded"), np.random.default_rng(0)
    latent = rng.normal(size=(400, 4))
    x, y = (np.float32(latent @ rng.normal(size=(4, width))) for width in (7, 5))
    np.savez(folder / "x.npz", features=x, ids=np.arange(400).astype(str))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "_gains", lambda features, seed: (0, 0))
        align(Problem(x[:20], y[:20], x[20:], y[20:]), "cca").save(folder / "aligner")
    embed(folder / "aligner", x=folder / "x.npz", out=folder / "sound")
    return folder / "aligner", folder / "sound"


@EACH_WAY
def test_every_file_of_embedded_items(embedded, walk, way):
    aligner, sound = embedded

    def opened(folder):
        gallery = open_gallery(open_aligner(aligner), folder)
        return {"rows": gallery.rows, "ranked": gallery.ranked, "ids": gallery.gallery.ids}

    expected = opened(sound)
    assert not same(expected["rows"], expected["ranked"])
    with walk(sound, way, "embedded items") as files:
        for folder, damaged in files.copies():
            files.open(opened, expected, folder, damaged)
            files.keep(folder, damaged)


def compared(folder):
    """A comparison on two noisy linear views of the same points."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(40, 4))
    x, y = (np.float32(latent @ rng.normal(size=(4, width))) for width in (6, 5))
    pairs = np.stack([np.arange(8)] * 2, axis=1)
    return comparing.compare(x, y, pairs, folder, methods=["cca", "procrustes"]).metadata


@EACH_WAY
def test_every_file_of_a_comparison(tmp_path, walk, way):
    sound = tmp_path / "sound"
    expected = compared(sound)
    written = r"comparison\.(html|json)"
    with walk(sound, way, "a comparison") as files:
        for folder, damaged in files.copies():
            found = files.open(compared, expected, folder, damaged)
            files.keep(folder, damaged, but=written)
            # A record that does not say what it is may be another program's.
            is_refused = found is None and damaged.name == "comparison.json"
            files.note(damaged.name)(is_refused or same(found, expected), "not done again")
