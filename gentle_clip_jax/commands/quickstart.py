"""The command quickstart: the others in a row, from two folders to matches and a page to show."""

import argparse
import pathlib
import shlex
import sys
from typing import Any

from gentle_clip_jax.commands import options, output, values

_QUERIES = ("a house", "something to eat", "a happy face")
_SIDES = "--x={out}/pictures --y={out}/texts"
# What each step writes last, by which a second run sees that it is done; and its command.
_FEW, _ASKED = (
    (
        (
            f"ask-{name}/ask.html",
            f"ask --x={{out}}/pictures --num={{{name}}} --out={{out}}/ask-{name}",
        ),
        (None, f"example --out={{out}}/emoji --answer={{out}}/ask-{name}/ask.csv"),
        (
            f"aligner-{name}/aligner.json",
            f"align {_SIDES} --pairs={{out}}/ask-{name}/ask.csv --out={{out}}/aligner-{name}",
        ),
    )
    for name in ("few", "asked")
)
_STEPS = (
    ("emoji/answers.csv", "example --emoji{number} --out={out}/emoji"),
    (
        "pictures/manifest.json",
        "encode --encoder=efficientnet-lite0 --data={out}/emoji/pictures --out={out}/pictures",
    ),
    ("texts/manifest.json", "encode --encoder=minilm --data={out}/emoji/texts --out={out}/texts"),
    *_FEW,
    *_ASKED,
    (
        "review/recall.json",
        f"review --aligner={{out}}/aligner-asked {_SIDES} --pairs={{out}}/ask-asked/ask.csv"
        " --out={out}/review",
    ),
    (
        "aligner/aligner.json",
        f"align {_SIDES} --pairs={{out}}/review/pairs.csv --out={{out}}/aligner",
    ),
    *(
        (
            f"{query.replace(' ', '-')}.html",
            f"search --aligner={{out}}/aligner --in={{out}}/pictures '{query}' --num=5"
            f" --html={{out}}/{query.replace(' ', '-')}.html",
        )
        for query in _QUERIES
    ),
    (
        "matches/matches.json",
        f"match --aligner={{out}}/aligner {_SIDES} --pairs={{out}}/review/pairs.csv --share=1"
        " --one-to-one --out={out}/matches",
    ),
)


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    quickstart = options.add_command(commands, _quickstart)
    quickstart.option("--out", "DIR", "output folder (default: quickstart)", default="quickstart")
    quickstart.option("--num", "N", "number of emoji (default: all)", type=values.whole(60, 5000))


def _quickstart(args: argparse.Namespace) -> output.Done:
    """Demonstrate all steps on emoji and their names, from two folders to a page to show.

    Example: gentle-clip quickstart --out=quickstart
    More: docs/tutorial.md
    """
    from gentle_clip_jax.data.example import ANSWERS, lines_of

    out, answers = pathlib.Path(args.out), pathlib.Path(args.out) / "emoji" / ANSWERS
    if answers.exists() and args.num and len(lines_of(answers)) != args.num:
        raise ValueError(
            f"{out} holds a quickstart of {len(lines_of(answers)):,} emoji: give that --num, or "
            "another --out=DIR."
        )
    print(
        "Emoji and their names, in two folders: a few pairs, then a few hundred answers, and the "
        "program finds pictures that it was never told the name of. In this demonstration "
        f"{answers} gives the pairs and the answers, in place of your eyes."
    )
    asked = min(60, (args.num or 300) // 5)
    filled = {"number": f" --num={args.num}" if args.num else "", "asked": asked}
    filled |= {"few": min(12, asked // 2), "out": shlex.quote(str(out))}
    for done, step in _STEPS:
        if done is None or not (out / done).exists():
            command = step.format(**filled)
            print(f"\n$ gentle-clip {command}", flush=True)
            if step.startswith("review"):
                _review(out, screens=300 if args.num is None else args.num // 40 * 10)
            elif code := args.main([*shlex.split(command), *["--quiet"] * args.quiet]):
                return output.Done(facts=None, code=code)
    return _shown(out)


def _truth(out: pathlib.Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return all pairs, and those that the review never asks about."""
    from gentle_clip_jax.data.example import ANSWERS, lines_of
    from gentle_clip_jax.reviewing.simulated import kept_out

    partner = dict(lines_of(out / "emoji" / ANSWERS))
    given = [*_pairs(out / "ask-few" / "ask.csv"), *_pairs(out / "ask-asked" / "ask.csv")]
    return partner, kept_out(partner, given, len(partner) // 6)


def _pairs(path: pathlib.Path) -> list[tuple[str, str]]:
    from gentle_clip_jax.data.example import lines_of
    from gentle_clip_jax.data.pairs import SHEET

    return [(x, y) for x, y in lines_of(path) if [x, y] != SHEET]


def _review(out: pathlib.Path, screens: int) -> None:
    """Answer by the true pairs, and keep answers, pairs and recall at 10 as the review goes on."""
    from gentle_clip_jax import load, read
    from gentle_clip_jax.reviewing.simulated import Point, simulate
    from gentle_clip_jax.storage.writing import write_json

    def tell(point: Point) -> None:
        line = (
            f"{point.answers} answers, {point.pairs} pairs: {point.recall:.0f} % of {len(tested)} "
            "emoji that are never asked about have their picture among the first ten"
        )
        print(f"\r{line}" if sys.stdout.isatty() else line, end=end, flush=True)

    print("Simulated: the true pairs answer, also where the picture is not among the 48 shown.")
    (partner, tested), end = _truth(out), "" if sys.stdout.isatty() else "\n"
    aligner, x, y = load(out / "aligner-asked"), read(out / "pictures"), read(out / "texts")
    given, folder = _pairs(out / "ask-asked" / "ask.csv"), out / "review"
    settings: Any = {"screens": screens, "tested": tested, "tell": tell, "look_up": True}
    points = simulate(aligner, x, y, given, partner, out=folder, **settings)
    print(f"{'' if end else chr(10)}{points[-1].answers} answers, {points[-1].pairs} pairs.")
    write_json(folder / "recall.json", points)


def _shown(out: pathlib.Path) -> output.Done:
    """Write the page of the quickstart, and name the hits of its searches."""
    from gentle_clip_jax import load, read, search
    from gentle_clip_jax.data.example import lines_of
    from gentle_clip_jax.data.openmoji import LICENCE
    from gentle_clip_jax.report.quickstart import Stage, Sure, write_quickstart
    from gentle_clip_jax.reviewing.simulated import recall
    from gentle_clip_jax.storage.reading import parse_json

    curve = parse_json(out / "review" / "recall.json")
    (partner, tested), x, y = _truth(out), read(out / "pictures"), read(out / "texts")
    names = {id_: texts[0] for id_, texts in zip(y.items.tolist(), y.item_texts)}
    files = "ask-few/ask.csv", "ask-asked/ask.csv", "review/pairs.csv"
    stages, hits = [], {}
    for folder, file in zip(("aligner-few", "aligner-asked", "aligner"), files):
        aligner, pairs = load(out / folder), _pairs(out / file)
        paired = {id_ for id_, _ in pairs}
        hits = {query: search(aligner, x, query, num=5).ids for query in _QUERIES}
        shown = x.previews([id_ for ids in hits.values() for id_ in ids])
        named = {
            query: [(shown[id_].picture, names[partner[id_]], id_ in paired) for id_ in ids]
            for query, ids in hits.items()
        }
        stages.append(Stage(len(pairs), recall(aligner, x, y, tested), named))
    heading, *rows = lines_of(out / "matches" / "matches.csv")
    matched = [row for row in (dict(zip(heading, cells)) for cells in rows) if row["y"]]
    found = [(row["x"], row["y"], float(row["probability"] or 0)) for row in matched]
    right = sum(partner[a] == b for a, b, _ in found)
    sure = sorted(found, key=lambda match: -match[2])[:15]
    pictures = x.previews([a for a, _, _ in sure])
    write_quickstart(
        out / "quickstart.html",
        items=len(partner),
        stages=stages,
        curve=[tuple(point) for point in curve],
        surest=[Sure(pictures[a].picture, names[b], p, partner[a] == b) for a, b, p in sure],
        tested=len(tested),
        licence=LICENCE,
    )
    lines = [
        f"\n{query}: " + ", ".join(name + " (was a pair)" * known for _, name, known in named)
        for query, named in stages[-1].hits.items()
    ]
    few, asked, last = stages
    lines += [
        f"\nOf {len(found):,} matches in no pair, {right:,} are right; by chance, one would be.",
        f"Of {len(tested)} emoji that were never asked about, {few.recall:.0f} % have their "
        f"picture among the first ten of {len(partner):,} with {few.pairs} pairs, "
        f"{asked.recall:.0f} % with {asked.pairs}, {last.recall:.0f} % after {curve[-1][0]} "
        f"answers; by chance {1000 / len(partner):.1f} %.",
        f"Open {out / 'quickstart.html'} in a browser, and show it. Then take two folders of your "
        "own: docs/tutorial.md explains every step.",
        LICENCE,
    ]
    written = tuple(str(out / name) for name in ("aligner", "matches", "quickstart.html"))
    facts = {"proposed": len(found), "right": right, "recall": [one.recall for one in stages]}
    return output.Done(lines, facts, written)
