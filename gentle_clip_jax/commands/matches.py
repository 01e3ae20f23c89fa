"""The command on matches: match.

Heavy imports wait inside the command, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the command to a parser's."""
    match = commands.add_parser(
        "match", allow_abbrev=False, help="a partner for every item, and how probable it is"
    )
    values.add_aligner(match)
    values.add_sides(match)
    match.add_argument(
        "--pairs",
        type=values.path,
        metavar="CSV",
        help="matched ids (default: the pairs that the aligner was fitted to)",
    )
    match.add_argument(
        "--share",
        type=values.share,
        metavar="S",
        help="of the items of x without a known partner, how many have one in y: above 0 to 1; "
        "without it no match has a probability",
    )
    match.add_argument(
        "--out", required=True, type=values.path, metavar="DIR", help="for matches.csv and the rest"
    )
    ways = match.add_mutually_exclusive_group()
    ways.add_argument(
        "--many-to-one",
        action="store_true",
        help="each item of x gets its nearest of y (the default)",
    )
    ways.add_argument("--one-to-one", action="store_true", help="no item of y comes twice")
    match.add_argument("--seed", type=values.seed, default=0, help="of what is drawn at random")
    output.add(match)
    match.set_defaults(command=_match)


def _match(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import match
    from gentle_clip_jax.training.loading import open_aligner

    matches = match(
        open_aligner(args.aligner),
        args.x,
        args.y,
        args.pairs,
        share=args.share,
        one_to_one=args.one_to_one,
        seed=args.seed,
    )
    matches.save(args.out)
    return output.Done([matches.summary], matches.about, (args.out,))
