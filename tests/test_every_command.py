"""Every command that writes, when the disk is full, when it is killed, beside links, another's
files and another writer; and every result, when its input comes in another form.

A new command joins by a line in WRITERS or RESULTS, or names its own tests in ELSEWHERE. What takes
long and writes nothing is done by `tiny_writers`.
"""

import concurrent.futures
import dataclasses
import errno
import itertools
import os
import pathlib
import re
import shutil
import threading
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import tiny_writers

import gentle_clip_jax as gc
from gentle_clip_jax.commands import main
from gentle_clip_jax.diagnosing import diagnosis
from gentle_clip_jax.features import encode
from gentle_clip_jax.features.pairs import read_matched
from gentle_clip_jax.features.work import Work, as_they_are
from gentle_clip_jax.searching.index import open_index, write_index
from gentle_clip_jax.storage.records import read_record

ENCODED = threading.local()
PAIRS = [(f"a{i}", f"b{i}") for i in range(12)]


def collections(num=24):
    """Two collections of as many items that share three numbers; the partner of a7 is b7."""
    rng = np.random.default_rng(0)
    common, sides = rng.normal(size=(num, 3)), []
    for letter, width in (("a", 6), ("b", 5)):
        rows = common @ rng.normal(size=(3, width)) + 0.3 * rng.normal(size=(num, width))
        ids = np.array([f"{letter}{i}" for i in range(num)])
        sides.append(gc.Collection(rows.astype(np.float32), ids))
    return sides


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Results to write, and others to replace them by."""
    with pytest.MonkeyPatch.context() as patch:  # its plots take half a second
        patch.setattr(diagnosis, "diagnosis_page", lambda metadata, _: str(metadata["seed"]))
        patch.setattr(encode, "_work", work_of_rows)
        tiny_writers.install(patch)
        first, other = results_of(*collections())
        for number, results in enumerate((first, other), 1):
            results.number, results.saved = number, tmp_path_factory.mktemp("saved")
            results.aligner.save(results.saved)
        yield first, other


def results_of(x, y):
    settings = {"fast": True, "methods": ["cca"]}
    aligner = gc.align(x, y, PAIRS, method="cca")
    compared, diagnosed = gc.compare(x, y, PAIRS, **settings), gc.diagnose(x, y, PAIRS)
    first = types.SimpleNamespace(
        x=x, aligner=aligner, ask=gc.ask(x, 3), search=gc.search(aligner, x, like="a3"),
        match=gc.match(aligner, x, y), compare=compared, diagnose=diagnosed,
    )  # fmt: skip
    other = types.SimpleNamespace(
        x=dataclasses.replace(x, features=x.features[:, ::-1]), ask=gc.ask(x, 4),
        aligner=aligner.with_metadata({"seed": 9}), search=gc.search(aligner, x, like="a4"),
        match=gc.match(aligner, x, y, one_to_one=True),
        compare=dataclasses.replace(compared, metadata={**compared.metadata, "seed": 9}),
        diagnose=dataclasses.replace(diagnosed, metadata={**diagnosed.metadata, "seed": 9}),
    )  # fmt: skip
    return first, other


def work_of_rows(*_):
    """The rows of x for the results of an encoder: those that this thread encodes."""
    x = ENCODED.x
    rows = [{"id": id_} for id_ in x.ids.tolist()]
    return Work(
        rows, [*x.features], np.arange(len(rows)),
        lambda numbers: [(f"{number}", None) for number in numbers], as_they_are,
        lambda: lambda inputs: [(np.stack([*inputs]), [None] * len(rows))],
        {"weights_sha256": str(x.features[0, 0])}, (),
    )  # fmt: skip


def encode_rows(given, out):
    ENCODED.x = given.x
    gc.encode("texts.csv", out, encoder="minilm")


def record(name):
    return lambda out: (read_record(out / f"{name}.json"), (out / f"{name}.html").read_bytes())


class Writer(NamedTuple):
    """write: results into a folder. read: what is in it. is_owned: the folder is for it alone."""

    write: Callable[[Any, Any], Any]
    read: Callable[[Any], Any]
    is_owned: bool = True


def calibrated():
    x, y = (side.ravel() for side in np.indices((80, 80)))
    score = np.random.default_rng(0).normal(size=len(x)) + 4 * (x == y)
    pairs = {"x": range(60), "y": range(60)}
    return gc.calibrate({"x": x, "y": y, "score": score}, pairs)


WRITERS = {
    "encode": Writer(encode_rows, lambda out: gc.read(out).features.copy()),
    "save": Writer(lambda g, out: g.x.save(out), lambda out: gc.read(out).features.copy()),
    "align": Writer(lambda g, out: g.aligner.save(out), lambda out: gc.load(out).metadata),
    "embed": Writer(
        lambda g, out: gc.embed(g.aligner, x=g.x, out=out),
        lambda out: (gc.read(out).features.copy(), gc.read(out).manifest["aligner_sha256"]),
    ),
    "index": Writer(
        lambda g, out: write_index(out, "exact", {}, [g.x.features], None, num_rows=24),
        lambda out: open_index(out, {}).nearest(np.ones((1, 6), np.float32), 3)[1],
    ),
    "ask": Writer(lambda g, out: g.ask.save(out), lambda out: (out / "ask.csv").read_bytes()),
    "search": Writer(
        lambda g, out: out.mkdir(exist_ok=True) or g.search.save_csv(out / "hits.csv"),
        lambda out: (out / "hits.csv").read_bytes(),
        is_owned=False,
    ),
    "match": Writer(lambda g, out: g.match.save(out), record("matches")),
    "calibrate": Writer(lambda g, out: calibrated().save(out), record("calibrated")),
    "compare": Writer(lambda g, out: g.compare.save(out), record("comparison")),
    "diagnose": Writer(lambda g, out: g.diagnose.save(out), record("diagnosis")),
    "export": Writer(
        lambda g, out: gc.export(g.aligner, out, format="numpy"),
        lambda out: (out / "export.json").read_bytes(),
    ),
    **{
        name: Writer(
            lambda g, out, write=write: write(g.number, g.saved, out), read, is_owned=False
        )
        for name, (write, read) in tiny_writers.WRITERS.items()
    },
}
ELSEWHERE = {  # by the file of their tests
    # Orbax writes checkpoints in threads of C++, out of reach of the faults here. Kills are in this
    # file; full disk and two at once in faults/test_damage.py; files of others and a run again in
    # runs/test_taken.py, and links are not refused: a run's folder may be one.
    "faults/test_killed.py": ["train"],
    "faults/test_every_file.py": ["restore"],
    "test_doctor.py": ["doctor"],
    "test_fuzz.py": ["load", "read"],
    "commands/test_wrong_config_values.py": ["load_config"],
    "encoders/published/test_bad_folders.py": ["load_encoder"],
}
EVERY = pytest.mark.parametrize("name", WRITERS)


def test_every_command_and_verb_has_joined():
    commands = next(a for a in main._parser()._actions if isinstance(a.choices, dict)).choices
    verbs = {name for name in gc.__all__ if name[0].islower()} - {"losses"}
    assert {*commands} | verbs | {"save"} == {*WRITERS}.union(*ELSEWHERE.values())
    assert all((pathlib.Path(__file__).parent / path).is_file() for path in ELSEWHERE)
    # These keep features, and have no figures of their own; calibrate takes no collections.
    without = {"encode", "save", "index", "export", "calibrate", *tiny_writers.WRITERS}
    assert {*RESULTS} == {*WRITERS} - without


def contents(folder):
    """Bytes by name, without what is random in the names and in the record of an index."""
    return {
        re.sub(r"-[0-9a-f]{16}\.npy", "", path.name): re.sub(
            rb'-[0-9a-f]{16}\.npy|"check": "\w+"', b"", path.read_bytes()
        )
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def same(one, other):
    if isinstance(one, tuple):
        return all(map(same, one, other))
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


def state(writer, out):
    """What is in a folder; None if it is said in one sentence that it is not whole."""
    try:
        return writer.read(out)
    except (ValueError, FileNotFoundError) as error:
        said = str(error)
    assert "\n" not in said
    return None


@pytest.fixture
def writer(name):
    return WRITERS[name]


@pytest.fixture
def results(given, name, tmp_path, writer):
    """The folder of the first results, and what is read of the first and of the others."""
    writer.write(given[1], tmp_path / "other")
    writer.write(given[0], tmp_path / "out")
    return tmp_path / "out", writer.read(tmp_path / "out"), writer.read(tmp_path / "other")


@EVERY
def test_killed_at_every_write(writer, given, results, tmp_path, monkeypatch, record_property):
    """The old or the new result is there, or a sentence says that none is; the command goes on."""
    (out, old, new), snapshots = results, []

    def taking_snapshots(function):
        def taken(*args, **settings):
            snapshots.append(tmp_path / f"killed {len(snapshots)}")
            shutil.copytree(out, snapshots[-1], symlinks=True)
            return function(*args, **settings)

        return taken

    with monkeypatch.context() as patch:
        for function in ("fsync", "replace", "unlink"):
            patch.setattr(os, function, taking_snapshots(getattr(os, function)))
        writer.write(given[1], out)
    assert len(snapshots) > 1
    whole = contents(out)
    for killed in snapshots:
        found = state(writer, killed)
        assert found is None or same(found, old) or same(found, new)
        writer.write(given[1], killed)
        assert not writer.is_owned or contents(killed).keys() == whole.keys()
        assert same(writer.read(killed), new)
    record_property("tries", len(snapshots))


@EVERY
def test_full_disk_at_every_write(writer, given, results, tmp_path, monkeypatch, record_property):
    """What was there stays, or a sentence says that it is not whole; nothing else is left."""
    out, old, new = results
    names = {*contents(out), *contents(tmp_path / "other"), "unfinished.json", "0.npz"}
    for number in itertools.count():
        shutil.copytree(out, full := tmp_path / f"full {number}")
        calls, said = itertools.count(), "No space left"

        def fsync(handle, real=os.fsync, calls=calls, number=number):
            if next(calls) >= number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            try:
                writer.write(given[1], full)
            except (OSError, ValueError) as error:
                said = str(error)
        found = state(writer, full)
        assert "No space left" in said
        assert found is None or same(found, old) or same(found, new)
        assert contents(full).keys() <= names
        writer.write(given[1], full)
        assert same(writer.read(full), new)
        if next(calls) <= number:
            break
    assert number > 1
    record_property("tries", number)


@EVERY
def test_again_two_at_once_links_and_files_of_another(writer, given, results, tmp_path):
    out, old, new = results
    before = contents(out)
    writer.write(given[0], out)
    assert contents(out) == before

    def write(number):
        try:
            return writer.write(given[number % 2], tmp_path / "both") and ""
        except ValueError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            said = [*pool.map(write, range(4))]
            refused = "Another (process writes to|review of)"
            assert [text for text in said if text and not re.search(refused, text)] == []
            found = writer.read(tmp_path / "both")
            assert same(found, old) or same(found, new)
    if not writer.is_owned:
        return
    for name in ("there", "locked", "mine"):
        (tmp_path / name).mkdir()
    for path in ["../victim", *before, "notes.txt"]:
        (tmp_path / "mine" / path).write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "locked" / "lock").symlink_to(tmp_path / "victim")
    refusals = {"link": "is a link to .*there: give", "locked": "cannot be written to"}
    refusals["mine"] = "use another (folder|--out)"
    for name, said in refusals.items():
        with pytest.raises(ValueError, match=said):
            writer.write(given[0], tmp_path / name)
    assert [*(tmp_path / "there").iterdir()] == []
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert {*contents(tmp_path / "mine").values()} == {b"mine"}


def test_a_table_of_matches_is_compared_with_the_features(given, tmp_path, notices):
    given[0].match.save(tmp_path)
    x, y = collections()
    read_matched(tmp_path / "accepted.csv", x, y)
    assert not notices()
    read_matched(tmp_path / "accepted.csv", x, in_other_units(y))
    assert "accepted.csv was made with other features or items of y than" in notices()


# Results when their input comes in another form ---------------------------------------------------


def align(x, y, pairs):
    return gc.align(x, y, pairs, method="cca")


def cosines(x, y, pairs):
    """Cosines of embedded rows of x and of y, in the order of their ids."""
    aligner = align(x, y, pairs)
    of_x, of_y = aligner.embed_x(x.features), gc.embed(aligner, y=y).features
    return np.asarray(of_x)[np.argsort(x.ids)] @ of_y[np.argsort(y.ids)].T


RESULTS = {
    "align": cosines,
    "embed": cosines,
    "search": lambda x, y, pairs: [*gc.search(align(x, y, pairs), x, like="a15").hits],
    "match": lambda x, y, pairs: {row["x"]: row for row in gc.match(align(x, y, pairs), x, y).rows},
    "ask": lambda x, y, pairs: gc.ask(x, 10, pairs).ids,
    "compare": lambda x, y, pairs: gc.compare(x, y, pairs, fast=True, methods=["cca"]).rows,
    "diagnose": lambda x, y, pairs: gc.diagnose(x, y, pairs).findings,
}


def in_another_order(rows):
    order = np.random.default_rng(1).permutation(len(rows.ids))
    return gc.Collection(rows.features[order], rows.ids[order])


def in_other_units(rows):
    order = np.random.default_rng(2).permutation(rows.features.shape[1])
    return gc.Collection(rows.features[:, order].astype(np.float64) * 512 + 100, rows.ids)


FORMS = {  # of both collections, and of the pairs
    "again": (lambda rows: rows, lambda pairs: pairs),
    "order of rows and pairs": (in_another_order, lambda pairs: pairs[::-1]),
    "pairs given twice": (lambda rows: rows, lambda pairs: [*pairs, *pairs[:4]]),
    "order of columns, offset, scale, dtype": (in_other_units, lambda pairs: pairs),
}


def assert_close(found, wanted, tolerance):
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            assert_close(found[key], wanted[key], tolerance)
    elif isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted)
        for pair in zip(found, wanted):
            assert_close(*pair, tolerance)
    elif isinstance(wanted, (float, np.ndarray)):
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
    elif not isinstance(wanted, str) or not re.search(r"\d\.\d", wanted):  # a sentence with figures
        assert found == wanted


@pytest.fixture(scope="module")
def expected():
    return {name: result(*collections(), PAIRS) for name, result in RESULTS.items()}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", RESULTS)
def test_a_result_does_not_depend_on_the_form_of_its_input(name, form, expected):
    of_rows, of_pairs = FORMS[form]
    found = RESULTS[name](*map(of_rows, collections()), of_pairs(PAIRS))
    assert_close(found, expected[name], 0 if form == "again" else 1e-5)
