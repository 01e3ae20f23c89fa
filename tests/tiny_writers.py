"""Commands that write after much work, with their own writes and next to no work.

Each is a function of a number, by which results differ, of a folder with an aligner, and of the
folder to write into; and a function that reads what is there.
"""

import contextlib
import json
import shutil
import sys
import threading
import types

import huggingface_hub
import numpy as np

import gentle_clip_jax as gc
from gentle_clip_jax.aligners.hub import push
from gentle_clip_jax.data import example, prepare
from gentle_clip_jax.data.tfds_builders import build, catalogue
from gentle_clip_jax.report import page
from gentle_clip_jax.reviewing import demonstration, demonstration_page
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.log import Answer
from gentle_clip_jax.reviewing.simulated import Point
from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.storage.records import read_record
from gentle_clip_jax.training import evaluate

HERE = threading.local()  # number and out of the writer of this thread
IDS = [np.array([f"{letter}{number}" for number in range(4)]) for letter in "xy"]


class _Run:
    """A run whose parameters are a number."""

    config = model = None
    MODALITIES = ("image", "text")
    task = dataset = test = property(lambda self: self)
    names = pictures_of = np.array(["a", "b"])

    def __init__(self, number):
        self.params = self.step = number

    def __len__(self):
        return 2

    def evaluate(self, model, params, dataset):
        return {"mean_recall": params}

    def init_params(self, *_):
        return 0

    def pictures(self, dataset):
        return np.zeros((2, 1))

    def test_items(self, dataset):
        return np.ones((2, 3)), np.ones((2, 3))

    def embed_x(self, model, params, dataset, rows):
        return params * rows

    embed_y = embed_x


_COMMIT = threading.Lock()  # the Hub makes one commit after the other


class _Hub:
    """Stands for the Hub: a repository is the folder `HERE.out`."""

    def __init__(self, **_):
        pass

    def create_repo(self, *_, **__):
        HERE.out.mkdir(exist_ok=True)

    def upload_folder(self, *, folder_path, delete_patterns, **_):
        with _COMMIT:
            for path in HERE.out.glob(delete_patterns):
                shutil.move(path, f"{folder_path}.old")
            shutil.copytree(folder_path, HERE.out, dirs_exist_ok=True)
        return "hub/commit/0"


def _build(name, contents, folder, **_):
    folder = folder / name / build.VERSION
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text(json.dumps({"splits": []}))
    return []


def install(patch):
    """Replaces the work before the writes."""
    patch.setattr(evaluate, "restore", lambda _: _Run(HERE.number))
    patch.setattr(evaluate, "_compare_data", lambda *_: None)
    patch.setattr(page, "read_run", lambda out: types.SimpleNamespace(folder=RunFolder(out)))
    patch.setattr(page, "_named", lambda runs: runs)
    patch.setattr(page, "_page", lambda _: str(HERE.number))
    patch.setattr(huggingface_hub, "HfApi", _Hub)
    patch.setattr(demonstration, "STEPS", ())
    patch.setattr(demonstration, "show", _show)
    patch.setattr(demonstration_page, "render", lambda *_, **__: str(HERE.number))
    patch.setattr(demonstration_page, "_curve", lambda _: None)
    patch.setitem(sys.modules, "tensorflow_datasets", types.ModuleType("tensorflow_datasets"))
    patch.setattr(catalogue, "find", lambda _: types.SimpleNamespace(
        title="", cite="", trained=True, read=lambda _: build.Contents({}, {})
    ))  # fmt: skip
    patch.setattr(build, "build", _build)


def _show(out):
    done = demonstration_page.Demonstration(
        out, 2, 1, [demonstration_page.Stage(1, 0, {})] * 2, [Point(0, 0, 0)], []
    )
    demonstration_page._write(done)
    return done


def _writing(write):
    def written(number, saved, out):
        HERE.number, HERE.out = number, out
        if write is not _prepare:
            out.mkdir(exist_ok=True)
        write(number, saved, out)

    return written


def _review(number, _, out):
    """Answers until there are that many answers."""
    with contextlib.closing(Journal(out / "pairs.csv", *IDS)) as journal:
        for place in range(journal.count, number):
            journal.add(Answer(place + 1, f"y{place}", "match", f"x{place}"))
            if journal.behind:
                raise OSError(journal.behind)


def _example(number, _, out):
    """Draws into a new folder, as no other is taken."""
    try:
        example.write_example(out / f"{number}", number=2, seed=number)
    except ValueError as error:
        if "is not empty" not in str(error):
            raise


def _prepare(number, saved, out):
    prepare.prepare("folder", saved, out)


def _newest(pattern):
    """Reads the names and the number of files of the newest folder."""
    return lambda out: [
        (path.parts[len(out.parts)], len([*path.parent.rglob("*")]))
        for path in sorted(out.glob(pattern))
    ][-1]


WRITERS = {
    "review": (_review, lambda out: (out / "pairs.csv").read_bytes()),
    "evaluate": (
        lambda _, __, out: evaluate.evaluate(out),
        lambda out: (
            read_record(out / "evaluation.json")["step"],
            np.load(out / "embeddings.npz")["x"],
        ),
    ),
    "report": (
        lambda _, __, out: page.write_report(out),
        lambda out: (out / "report.html").read_bytes(),
    ),
    "example": (_example, _newest("*/answers.csv")),
    "data": (_prepare, _newest("*/1.0.0/SHA256SUMS")),
    "push": (lambda _, saved, out: push(saved, "a/b"), lambda out: gc.load(out).metadata),
    "quickstart": (
        lambda _, __, out: demonstration.demonstrate(out, lambda _: 0, lambda _: None),
        lambda out: (out / "quickstart.html").read_bytes(),
    ),
}
WRITERS = {name: (_writing(write), read) for name, (write, read) in WRITERS.items()}
