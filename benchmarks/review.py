"""What a review brings: an annotator who always clicks the right one, without a browser.

    python benchmarks/review.py --features=features [--sets rsicd] [--pairs 30 104]

On test items of remote sensing: `align` by so many pairs, then screens; written as JSON to --out.
The annotator says "none of these" where the partner is not in the grid, and with --wrong=0.05
clicks a wrong one in 5 % of the screens. Recall is the mean of R@1, 5 and 10 both ways over the
items that have no pair at the start, one random text each.
"""

import argparse
import json
import pathlib
import tempfile
import time

import numpy as np

from gentle_clip_jax.aligners import Problem, align
from gentle_clip_jax.data import embeddings
from gentle_clip_jax.data.embeddings import FeatureSet
from gentle_clip_jax.evals import retrieval_metrics
from gentle_clip_jax.files import write_json
from gentle_clip_jax.review import refit
from gentle_clip_jax.review.journal import Journal
from gentle_clip_jax.review.session import Session
from gentle_clip_jax.review.sides import Side, unit


def items(features: pathlib.Path, sets: list[str]) -> tuple[Side, Side]:
    """Test images and their captions; the partner of an image has its id."""
    parts = []
    for name in sets:
        x, y = (embeddings.read(features / name / kind) for kind in ("images", "captions"))
        of_x = (x.splits == "test") & np.isin(x.ids, y.ids)
        of_y = np.isin(y.ids, x.ids[of_x])
        parts.append([(rows.features[kept], np.char.add(f"{name}/", rows.ids[kept]))
                      for rows, kept in ((x, of_x), (y, of_y))])  # fmt: skip
    x, y = ([np.concatenate(column) for column in zip(*side)] for side in zip(*parts))
    return Side.of(FeatureSet(*x)), Side.of(FeatureSet(*y))


def recall(x: Side, y: Side, rows: tuple[np.ndarray, np.ndarray], but: np.ndarray) -> float:
    """Mean recall, in per cent, of the items that are not among `but`."""
    kept_x, kept_y = ~np.isin(x.ids, but), ~np.isin(y.ids, but)
    told = retrieval_metrics(
        rows[0][kept_x], rows[1][kept_y], image_ids=x.ids[kept_x], text_ids=y.ids[kept_y]
    )
    return round(100 * told["mean_recall"], 1)


def reviewed(x: Side, y: Side, count: int, screens: int, seed: int, wrong: float, start: str):
    """The figures of one review."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(x.ids)[:count]
    fit = refit.prepare(x, y, "gentle_transport")
    known = x.numbers(ids), y.numbers(ids)
    if start == "align":
        means = x.means(x.features), y.means(y.features)
        rest = [np.delete(rows, of, axis=0) for rows, of in zip(means, known)]
        aligner = align(Problem(means[0][known[0]], means[1][known[1]], *rest))
        rows = (
            unit(np.asarray(aligner.embed_x(means[0]))),
            unit(np.asarray(aligner.embed_y(means[1]))),
        )
    else:
        rows = fit.embedded(*known)
    times, figures = [], {"pairs": count, "seed": seed, "wrong": wrong, "start": start}

    def embed(of_x, of_y):
        begun = time.process_time()
        found = fit.embedded(of_x, of_y)
        times.append(time.process_time() - begun)
        return found

    with tempfile.TemporaryDirectory() as folder:
        pairs = pathlib.Path(folder) / "pairs.csv"
        pairs.write_text("".join(f"{id_},{id_}\n" for id_ in ids))
        session = Session(x, y, rows, Journal(pairs), embed=embed, seed=seed, background=False)
        figures["recall_before"] = recall(x, y, rows, ids)
        place = {id_: number for number, id_ in enumerate(x.ids.tolist())}
        drawn = []
        for screen in range(1, screens + 1):
            question = session.question()
            partner = place[str(y.ids[question.y])]
            held = partner in question.x
            drawn.append((question.drawn, held))
            if rng.random() < wrong:
                session.answer(question.screen, "match", int(rng.choice(question.x)))
            elif held:
                session.answer(question.screen, "match", partner)
            else:
                session.answer(question.screen, "none")
            if screen in (100, screens):
                right = sum(a.x == a.y for a in session.answers() if a.x)
                figures[f"confirmed_after_{screen}"] = right
        session.close()
        figures["recall_after"] = recall(x, y, fit.embedded(*session.pairs()), ids)
    for name in ("chance", "random"):
        figures[f"held_{name}"] = round(np.mean([held for how, held in drawn if how == name]), 3)
    figures["refit_cpu_seconds"] = round(float(np.median(times)), 1)
    return figures


def main() -> None:
    """Prints a line a review, and writes all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["rsicd", "ucm-captions"])
    parser.add_argument("--pairs", nargs="+", type=int, default=[30, 104])
    parser.add_argument("--screens", type=int, default=250)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--wrong", type=float, default=0.0)
    parser.add_argument("--start", choices=("align", "refit"), default="align")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    x, y = items(args.features, args.sets)
    print(f"{len(x.ids)} images, {len(y.ids)} items of text", flush=True)
    found = []
    for count in args.pairs:
        for seed in args.seeds:
            found.append(reviewed(x, y, count, args.screens, seed, args.wrong, args.start))
            print(json.dumps(found[-1]), flush=True)
            if args.out:
                write_json(args.out, found)


if __name__ == "__main__":
    main()
