"""The command on matches: match.

Heavy imports wait inside the command, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the command to a parser's."""
    match = commands.add_parser(
        "match", allow_abbrev=False, help="find a partner for every item, with its probability"
    )
    values.add_aligner(match)
    values.add_sides(match)
    match.add_argument(
        "--pairs",
        type=values.path,
        metavar="CSV",
        help="file of pairs (default: the pairs that the aligner was fitted to)",
    )
    match.add_argument(
        "--share",
        type=values.share,
        metavar="S",
        help="share, above 0 to 1, of the unmatched items of x that have a partner in y; "
        "without it matches have no probabilities",
    )
    values.add_out(match, "output folder for matches.csv and the other results")
    ways = match.add_mutually_exclusive_group()
    ways.add_argument(
        "--many-to-one",
        action="store_true",
        help="match each item of x with its nearest item of y (default)",
    )
    ways.add_argument("--one-to-one", action="store_true", help="use each item of y at most once")
    values.add_seed(match)
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
