"""Emoji and their names: what unmatched items, answers of a review, and searches bring.

    python benchmarks/emoji_names.py --work=runs/emoji [--half reporting] [--settings last]
    python benchmarks/emoji_names.py --work=runs/emoji --set=photographs --data=DATA ...

Writes emoji.json; rows that are there already are not measured again. Protocol: the SHA-256 of its
name puts each emoji into the choosing or the reporting half. Pairs, answers and tested items are of
one half; the other half's pictures and names are unmatched items and part of every gallery.
Features and settings were chosen on the choosing half; the reporting half gives the figures, once,
with the chosen settings. emoji_queries.json was committed before any measurement. "all" is both
halves, as in the quickstart. Two things were decided after emoji of both halves had been seen in
trial runs: that the truth looks up partners that are not among the 48 shown, as recall did not rise
in a run that took only partners shown; and what counts as unseen. A draw is a seed: of every tenth
of the 60 items that `ask` names, of the fits, of a review that the truth answers, and of a quarter
of the half's items, which no pair holds and whose texts rank all pictures, before and after. With
--look-up the partner is found also where it is not among the 48 shown, as in the quickstart.
Gain of unmatched items: the mean of R@1, 5 and 10, both ways, by `align`, less that of the method
that is the best pairs-only one by held-out pairs, on all partners of the half that are in no pair,
with the paired 99 % interval and the verdict of `align`; beside it those of held-out pairs.
--set measures the same on 1,500 images and their captions, of benchmarks/predictions.py, without
the queries; no setting is chosen there, and the half is that of the ids.
"""

import argparse
import hashlib
import json
import pathlib
import tempfile
from typing import Any

import numpy as np
from prediction_sets import IMAGES, prepare
from published import RESULTS, ROOT, command, publish, read

import gentle_clip_jax as gc
from gentle_clip_jax.commands.main import main as gentle_clip
from gentle_clip_jax.data.example import ANSWERS, lines_of
from gentle_clip_jax.evaluation import verdict
from gentle_clip_jax.evaluation.cross_validation import TOP, rank_of_partner
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing.simulated import kept_out, recall, simulate
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.searching.opened import opened_of
from gentle_clip_jax.searching.search import open_gallery
from gentle_clip_jax.training.provenance import commit

QUERIES = pathlib.Path(__file__).with_name("emoji_queries.json")
SETTINGS = {"last": [], "rich": ["--layers=rich"], "views": ["--layers=rich", "--views=mirror"]}
ASKED = 60


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the features")
    parser.add_argument("--set", choices=["emoji", *IMAGES], default="emoji")
    parser.add_argument("--data", type=pathlib.Path, help="folder of the data sets, for --set")
    parser.add_argument("--half", choices=["choosing", "reporting", "all"], default="choosing")
    parser.add_argument("--settings", nargs="*", choices=SETTINGS, default=[*SETTINGS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--screens", type=int, default=300)
    parser.add_argument("--look-up", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    content = {"protocol": " ".join((__doc__ or "").split()), "rows": []} | read("emoji", args.out)
    names = ("set", "half", "settings", "screens", "look_up", "seed")
    done = {tuple(row[name] for name in names) for row in content["rows"]}
    for settings in args.settings:
        if args.set == "emoji":
            of = data(args.work, settings, args.half)
        else:
            of = captioned(args.work, args.data, args.set, args.half)
        for seed in args.seeds:
            key = (args.set, args.half, settings, args.screens, args.look_up, seed)
            if key not in done:
                row = dict(zip(names, key)) | draw(*of, seed, args.screens, args.look_up)
                metadata = {
                    "commit": commit(),
                    "machine": machine(),
                    "command": command("emoji_names"),
                }
                content["rows"].append(row | metadata)
                print(json.dumps(row), flush=True)
                publish("emoji", content, args.out)


def data(work: pathlib.Path, settings: str, half: str):
    """Return all pictures and texts, and of a half each picture's text by ids, and all names."""
    if not (work / "emoji" / ANSWERS).exists():
        run("example", "--emoji", f"--out={work / 'emoji'}")
    encode = "encode", "--quiet"
    texts, pictures = work / "texts", work / settings
    run(*encode, "--encoder=minilm", f"--data={work / 'emoji' / 'texts'}", f"--out={texts}")
    of_pictures = "--encoder=efficientnet-lite0", f"--data={work / 'emoji' / 'pictures'}"
    run(*encode, *of_pictures, *SETTINGS[settings], f"--out={pictures}")
    x, y = gc.read(pictures), gc.read(texts)
    text = {id_: of[0] for id_, of in zip(y.items.tolist(), y.item_texts)}
    every = dict(lines_of(work / "emoji" / ANSWERS))
    partner = {a: b for a, b in every.items() if is_in(half, text[b])}
    return x, y, partner, {a: text[b] for a, b in every.items()}


def captioned(work: pathlib.Path, data_sets: pathlib.Path, name: str, half: str):
    """Return images, captions and the partners of a half by ids; no names, so no queries."""
    prepare(name, data_sets, work, ROOT)
    x, y = (gc.read(work / name / f"{side}.npz") for side in "xy")
    every = lines_of(work / name / "partners.csv")
    return x, y, {a: b for a, b in every if is_in(half, b)}, {}


def run(*words: str) -> None:
    assert gentle_clip([*words]) == 0


def is_in(half: str, name: str) -> bool:
    """Return whether an item is in a half, by its name alone."""
    is_even = hashlib.sha256(name.encode()).digest()[0] % 2 == 0
    return half == "all" or is_even == (half == "choosing")


def draw(
    x: Collection, y: Collection, partner: dict, names: dict, seed: int, screens: int, look_up: bool
) -> dict[str, Any]:
    """Return the figures of one draw; x and y hold both halves, `partner` one."""
    half_x, half_y = x.select([*partner]), y.select([*partner.values()])
    asked = [(id_, partner[id_]) for id_ in gc.ask(half_x, ASKED, seed=seed).ids]
    tested = kept_out(partner, asked, len(partner) // 4, seed=seed)
    first = gc.align(x, y, asked, seed=seed)
    settings: Any = {"screens": screens, "tested": tested, "look_up": look_up, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        points = simulate(
            first, half_x, half_y, asked, partner, out=folder, tell=lambda _: None, **settings
        )
        pairs = [(a, b) for a, b in lines_of(pathlib.Path(folder) / "pairs.csv")[1:]]
    found: dict[str, Any] = {
        "items": len(partner),
        "tested": len(tested),
        "curve": [list(point) for point in points],
    }
    every = [(a, partner[a]) for a in sorted(partner)]
    for name, given in (("first", asked), ("last", pairs)):
        aligner = first if name == "first" else gc.align(x, y, given, seed=seed)
        paired = {a for a, _ in given}
        unseen = [pair for pair in every if pair[0] not in paired]
        found[name] = {
            "pairs": len(given),
            "method": aligner.metadata["method"],
            "held_out": aligner.metadata["expected"]["unmatched"],
            "recall_10": recall(aligner, x, y, tested),
            "queries": searched(aligner, x, names, paired) if names else None,
            **compared(aligner, x, y, given, unseen, seed),
        }
    return found


def compared(aligner, x, y, given: list, unseen: list, seed: int) -> dict[str, Any]:
    """Compare with the best pairs-only method on partners that no pair holds, as `align` does."""
    against = aligner.metadata["expected"]["unmatched"]["against"]
    rival = gc.align(x, y, given, seed=seed, method=against)
    ours, theirs = (
        (ranks(of, x, y, unseen)[:, :, None] <= np.asarray(TOP)).mean(axis=(1, 2))
        for of in (aligner, rival)
    )
    gain = verdict.gain(ours, theirs, fitted=len(unseen))
    gain |= {"against": against, "items": len(unseen), "ours": ours.mean(), "theirs": theirs.mean()}
    return {"unseen": {key: value for key, value in gain.items() if key != "pairs_needed"}}


def ranks(aligner: gc.Aligner, x: Collection, y: Collection, pairs: list) -> np.ndarray:
    """Return the rank [n, 2] of the partner of each pair, from x to y and back."""
    rows = np.asarray(aligner.embed_x(x.means())), np.asarray(aligner.embed_y(y.means()))
    galleries = aligner.smooth_gallery_x(rows[0]), aligner.smooth_gallery_y(rows[1])
    numbers = [side.numbers_of(ids) for side, ids in zip((x, y), zip(*pairs))]
    found = []
    for queries, gallery, of, right in zip(rows, galleries[::-1], numbers, numbers[::-1]):
        cosines = queries[of] @ np.asarray(gallery).T
        found.append(rank_of_partner(cosines, cosines[np.arange(len(right)), right]))
    return np.stack(found, axis=1)


def searched(aligner: gc.Aligner, x: Collection, names: dict, paired: set) -> dict[str, Any]:
    """Queries with a fitting picture in no pair among the first five, and the names of those."""
    searcher, found, count = open_gallery(opened_of(aligner), x), {}, 0
    for query, fitting in json.loads(QUERIES.read_text())["queries"].items():
        hits = [hit.id for hit in searcher.words(query, 5)]
        count += any(names[a] in fitting and a not in paired for a in hits)
        found[query] = [names[a] + " (pair)" * (a in paired) for a in hits]
    return {"fitting": count, "hits": found}


if __name__ == "__main__":
    main()
