"""What a review brings: an annotator whom a program plays, and how long one waits for a screen.

    python benchmarks/review.py --features=features [--images=rsicd] [--parts grid speed]

Writes review.json. On aerial images: test items of RSICD and UCM-Captions are
reviewed after `align` by so many pairs, by an annotator who always clicks the right one and by one
who clicks a wrong one in 5 % of the screens. --split=train reviews as many train items instead, to
choose settings by. Questions for the closest of ten were measured at commit c7fb12a; those rows
stay.
"""

import argparse
import dataclasses
import http.client
import json
import pathlib
import tempfile
import threading
import time
from typing import Any

import numpy as np
import published
import uvicorn
from published import RESULTS, publish
from threadpoolctl import threadpool_limits

from gentle_clip_jax.aligners import Problem, align
from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.evaluation import retrieval_metrics
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read
from gentle_clip_jax.reviewing import refit
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.pictures import Pictures
from gentle_clip_jax.reviewing.server import application
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.reviewing.show import Show
from gentle_clip_jax.runs.log import machine

SETS = ("rsicd", "ucm-captions")
TEST_ITEMS = 1303


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=[*PARTS])
    parser.add_argument("--images", type=pathlib.Path, help="RSICD, for the time of its pictures")
    parser.add_argument("--split", choices=["test", "train"], default="test")
    parser.add_argument("--pairs", nargs="+", type=int, default=[30, 104])
    parser.add_argument("--screens", type=int, default=250)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--wrong", nargs="+", type=float, default=[0.0, 0.05])
    parser.add_argument("--start", choices=["align", "refit"], default="align")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(), "split": args.split, "seeds": args.seeds}
    found = published.read("review", args.out) | found
    for part in args.parts:
        found[part] = []
        for row in PARTS[part](args):
            print(json.dumps(row), flush=True)
            found[part].append(row)
            publish("review", found, args.out)


def items(args: argparse.Namespace, sets=SETS, number: int | None = TEST_ITEMS):
    """Images of a split and their captions; the partner of an image has its id."""
    sides, rng = [], np.random.default_rng(0)
    for name in sets:
        x, y = (read(args.features / name / kind) for kind in ("images", "captions"))
        assert x.splits is not None
        ids = x.ids[(x.splits == args.split) & np.isin(x.ids, y.ids)]
        if number and args.split != "test":
            ids = rng.permutation(ids)[: number * len(ids) // 10_414]
        sides.append([of_set(name, rows, np.isin(rows.ids, ids)) for rows in (x, y)])
    return [gathered(*parts) for parts in zip(*sides)]


def of_set(name: str, rows: Collection, kept: np.ndarray) -> Collection:
    columns = (None if of is None else of[kept] for of in (rows.labels, rows.texts))
    ids = np.char.add(f"{name}/", rows.ids[kept])
    return Collection(np.asarray(rows.features[kept]), ids, None, *columns)


def gathered(*parts: Collection) -> Collection:
    names = ("features", "ids", "labels", "texts")
    columns = {name: [getattr(part, name) for part in parts] for name in names}
    return Collection(**{k: np.concatenate(v) for k, v in columns.items() if v[0] is not None})


def grids(args: argparse.Namespace):
    """A row a review above grids of 48."""
    x, y = items(args)
    for count in args.pairs:
        for seed in args.seeds:
            ids = np.random.default_rng(seed).permutation(x.items)[:count]
            start = started(x, y, ids, args.start)
            for wrong in args.wrong:
                yield {"pairs": count, "seed": seed, "wrong": wrong} | reviewed(
                    x, y, ids, start, args.screens, seed, wrong
                )


def started(x: Collection, y: Collection, ids: np.ndarray, method: str):
    """Unit rows of all items by so many pairs, all rows of an item given."""
    known = x.numbers_of(ids), y.numbers_of(ids)
    if method == "refit":
        return refit.prepare(x, y, "gentle_transport").embedded(*known, np.ones(len(ids), "f4"))
    groups = []
    for side, of in zip((x, y), known):
        order = np.argsort(side.item_of_row, kind="stable")
        most = np.bincount(side.item_of_row).max()
        first = np.searchsorted(side.item_of_row[order], np.arange(len(side.items)))
        count = np.bincount(side.item_of_row)
        rows = order[first[:, None] + np.arange(most)[None, :] % count[:, None]]
        grouped = side.features[rows]
        groups += [grouped[of], np.delete(grouped, of, axis=0)]
    aligner = align(Problem(groups[0], groups[2], groups[1], groups[3]))
    return (
        unit_rows(x.means(np.asarray(aligner.embed_x(x.features)))),
        unit_rows(y.means(np.asarray(aligner.embed_y(y.features)))),
    )


def recall(x: Collection, y: Collection, rows, but) -> float:
    """Mean of R@1, 5 and 10, both ways, of the items that are not among `but`, among themselves."""
    of_x, of_y = ~np.isin(x.items, but), ~np.isin(y.items, but)
    told = retrieval_metrics(
        rows[0][of_x], rows[1][of_y], image_ids=x.items[of_x], text_ids=y.items[of_y]
    )
    return 100 * told["mean_recall"]


class Opened:
    """A session in a folder that goes away, and what its refits took."""

    def __init__(
        self,
        x: Collection,
        y: Collection,
        ids,
        start,
        seed: int,
        *,
        fit=None,
        background: bool = False,
    ):
        self.fit, self.seconds = fit or refit.prepare(x, y, "gentle_transport"), []
        self._folder = tempfile.TemporaryDirectory()
        pairs = pathlib.Path(self._folder.name) / "pairs.csv"
        pairs.write_text("".join(f"{id_},{id_}\n" for id_ in ids))
        settings = {"own": self.fit.own(), "embed": self._embed, "background": background}
        self.session = Session(x, y, start, Journal(pairs, x.items, y.items), seed=seed, **settings)

    def _embed(self, of_x, of_y, weight):
        begun = time.process_time()
        rows = self.fit.embedded(of_x, of_y, weight)
        self.seconds.append(time.process_time() - begun)
        return rows

    def now(self):
        return self.fit.embedded(*self.session.standing.fitted_to())

    def close(self) -> None:
        self.session.close()
        self._folder.cleanup()


def reviewed(
    x: Collection, y: Collection, ids, start, screens: int, seed: int, wrong: float
) -> dict:
    """The figures of one review."""
    rng, opened = np.random.default_rng((seed, 1)), Opened(x, y, ids, start, seed)
    session, place, drawn = opened.session, {id_: i for i, id_ in enumerate(x.items.tolist())}, []
    first = opened.now()
    found: dict[str, Any] = {}
    for screen in range(1, screens + 1):
        question = session.question()
        assert question is not None
        partner = place[str(y.items[question.y])]
        held = partner in question.x
        drawn.append((question.sampling, held))
        others = [one for one in question.x if one != partner]
        if rng.random() < wrong:
            session.answer(question.screen, "match", int(rng.choice(others)))
        elif held:
            session.answer(question.screen, "match", partner)
        else:
            session.answer(question.screen, "none")
        if screen in (100, screens):
            right = sum(a.x == a.y for a in session.answers() if a.x)
            found[f"confirmed_{screen}"] = right
            found[f"recall_{screen}"] = recall(x, y, opened.now(), ids)
    confirmed = [a.x for a in session.answers() if a.x] + [a.y for a in session.answers() if a.x]
    for name, but in (("", ids), ("_unseen", [*ids, *confirmed])):
        found[f"before{name}"] = recall(x, y, start, but)
        found[f"before_refit{name}"] = recall(x, y, first, but)
        found[f"after{name}"] = recall(x, y, opened.now(), but)
    for name in ("chance", "random"):
        found[f"held_{name}"] = float(np.mean([held for how, held in drawn if how == name]))
    found["refit_seconds"] = float(np.median(opened.seconds))
    opened.close()
    return found


def speeds(args: argparse.Namespace):
    """Seconds of a refit to 1,500 and 1,500 items, and milliseconds until a screen is there."""
    x, y = items(argparse.Namespace(features=args.features, split="train"), ("rsicd",), None)
    x, y = (first_items(side, 1500) for side in (x, y))
    begun = time.perf_counter()
    fit = refit.prepare(x, y, "gentle_transport")
    row = {"prepare_seconds": time.perf_counter() - begun, "refit_seconds": []}
    for count in (100, 110, 120, 130, 140):
        known = np.arange(count)
        begun = time.perf_counter()
        fit.embedded(known, known, np.ones(count, np.float32))
        row["refit_seconds"].append(time.perf_counter() - begun)
    yield row | served(args)


def first_items(side: Collection, number: int) -> Collection:
    return side.select(side.item_of_row < number)


def served(args: argparse.Namespace) -> dict[str, list[float]]:
    """Times of answers through the server, while refits go on, and of the pictures of a grid."""
    x, y = items(argparse.Namespace(features=args.features, split="test"), ("rsicd",), None)
    x, y = (
        dataclasses.replace(side, ids=np.char.partition(side.ids, "/")[:, 2]) for side in (x, y)
    )
    ids = np.random.default_rng(0).permutation(x.items)[:104]
    opened = Opened(x, y, ids, started(x, y, ids, "refit"), 0, background=True)
    pictures = Pictures(args.images) if args.images else None
    app = application(Show(opened.session, pictures), token="token")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    client = http.client.HTTPConnection("127.0.0.1", port)
    times: dict[str, list[float]] = {"answer_ms": [], "pictures_ms": [], "pictures_again_ms": []}
    state = asked(client, "GET", "/state")
    for _ in range(60):
        choices, screen = state["question"]["choices"], state["question"]["screen"]
        for name in ("pictures_ms", "pictures_again_ms") if args.images else ():
            begun = time.perf_counter()
            for choice in choices:
                asked(client, "GET", choice["picture"])
            times[name].append(1000 * (time.perf_counter() - begun))
        begun = time.perf_counter()
        body = {"screen": screen, "kind": "match", "x": choices[0]["number"]}
        state = asked(client, "POST", "/answer", json.dumps(body))
        times["answer_ms"].append(1000 * (time.perf_counter() - begun))
    server.should_exit = True
    thread.join()
    opened.close()
    return times


def asked(client: http.client.HTTPConnection, method: str, path: str, body: str | None = None):
    headers = {"Cookie": "gentle_clip_review=token", "Content-Type": "application/json"}
    client.request(method, path, body, headers)
    answer = client.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    return json.loads(content) if answer.headers["Content-Type"] == "application/json" else None


PARTS = {"grid": grids, "speed": speeds}


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()
