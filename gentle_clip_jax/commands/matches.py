"""The command on matches: match."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    match = options.add_command(commands, _match, statistics=True)
    match.aligner()
    match.collections()
    match.pairs("the pairs that the aligner was fitted to")
    share = (
        "share, above 0 to 1, of the unmatched items of x that have a partner in y (default: none, "
        "and matches have no probabilities)"
    )
    match.option("--share", "S", share)
    match.out("output folder for matches.csv, accepted.csv, matches.html and matches.json")
    least = "least probability, above 0 to 1, of a match in accepted.csv (default: 0.5)"
    match.option("--accept", "S", least, default=0.5)
    match.flag("--xlsx", "write matches.xlsx too, a workbook of text cells")
    ways = match.add_mutually_exclusive_group()
    match.flag("--many-to-one", "match each item of x with its nearest of y (default)", group=ways)
    match.flag("--one-to-one", "use each item of y at most once", group=ways)
    match.seed()


def _match(args: argparse.Namespace) -> output.Done:
    """Find a partner for every item of x, with its probability.

    Example: gentle-clip match --aligner=aligner --x=pictures.npy --y=texts.npy --out=matches
    More: docs/review_and_match.md
    """
    from gentle_clip_jax import match
    from gentle_clip_jax.training.loading import open_aligner

    aligner, settings = open_aligner(args.aligner), {"one_to_one": args.one_to_one}
    settings |= {"share": args.share, "seed": args.seed}
    matches = match(aligner, args.x, args.y, args.pairs, **settings)
    matches.save(args.out, accept=args.accept, xlsx=args.xlsx)
    facts = matches.metadata
    names = ("probability", "value", "low", "high")
    bins = [[f"{100 * one[name]:.0f}" for name in names] for one in facts["reliability"] or ()]
    head = ["stated probability of held-out pairs, %", "right, %", "from (95 %)", "to"]
    reliability = [output.table(head, bins)] if bins else []
    return output.Done([matches.summary], facts, (args.out,), statistics=reliability)
