"""The command quickstart: the others in a row, from two folders to matches and a search page."""

import argparse
import pathlib
import shlex
from typing import Any

from gentle_clip_jax.commands import options, output, values

# What each step writes last, by which a second run sees that it is done; and its command.
_STEPS = (
    ("icons/answers.csv", "example --icons --number={number} --out={out}/icons"),
    (
        "pictures/manifest.json",
        "encode --encoder=efficientnet-lite0 --data={out}/icons/pictures --out={out}/pictures",
    ),
    ("texts/manifest.json", "encode --encoder=minilm --data={out}/icons/texts --out={out}/texts"),
    ("ask/ask.html", "ask --x={out}/pictures --num={pairs} --out={out}/ask"),
    (None, "example --out={out}/icons --answer={out}/ask/ask.csv"),
    (
        "aligner/aligner.json",
        "align --x={out}/pictures --y={out}/texts --pairs={out}/ask/ask.csv --out={out}/aligner",
    ),
    (
        "matches/matches.json",
        "match --aligner={out}/aligner --x={out}/pictures --y={out}/texts --pairs={out}/ask/ask.csv"
        " --share=1 --one-to-one --out={out}/matches",
    ),
    (
        "hits.html",
        "search --aligner={out}/aligner --in={out}/pictures 'a house' --num=8"
        " --html={out}/hits.html",
    ),
)


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    quickstart = options.add_command(commands, _quickstart)
    quickstart.option("--out", "DIR", "output folder (default: quickstart)", default="quickstart")
    number = "number of icons (default: 1500)"
    quickstart.option("--number", "N", number, type=values.whole(60, 5000), default=1500)


def _quickstart(args: argparse.Namespace) -> output.Done:
    """Demonstrate all steps on icons and their names, from a few pairs to a search page.

    Example: gentle-clip quickstart --out=quickstart
    More: docs/tutorial.md
    """
    from gentle_clip_jax.data.example import ANSWERS, lines_of

    out, pairs = pathlib.Path(args.out), args.number // 5
    answers = out / "icons" / ANSWERS
    if answers.exists() and len(lines_of(answers)) != args.number:
        raise ValueError(
            f"{out} holds a quickstart of {len(lines_of(answers)):,} icons: give that --number, or "
            "another --out=DIR."
        )
    print(
        f"{args.number:,} icons and their names, in two folders. A fifth of the pairs comes "
        "from answers.csv, in place of your eyes; the program finds the others."
    )
    for done, step in _STEPS:
        if done is None or not (out / done).exists():
            filled = step.format(out=shlex.quote(str(out)), number=args.number, pairs=pairs)
            print(f"\n$ gentle-clip {filled}", flush=True)
            if code := args.main([*shlex.split(filled), *["--quiet"] * args.quiet]):
                return output.Done(facts=None, code=code)
    known = {line[0] for line in lines_of(out / "ask" / "ask.csv")}
    right, found = dict(lines_of(answers)), lines_of(out / "matches" / "matches.csv")
    proposed = [(x, y) for x, y, *_ in found[1:] if y and x not in known]
    hits = sum(right[x] == y for x, y in proposed)
    lines = (
        f"\nOf {len(proposed):,} matches of unlabelled icons, {hits:,} are right by answers.csv. "
        "By chance, one would be.",
        f"Open {out / 'hits.html'} and {out / 'matches' / 'matches.html'} in a browser. Then run "
        "the same commands on two folders of your own, as docs/tutorial.md explains.",
    )
    written = tuple(str(out / name) for name in ("aligner", "matches", "hits.html"))
    return output.Done(lines, {"proposed": len(proposed), "right": hits}, written)
