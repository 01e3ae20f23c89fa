"""The command that asks a person for partners: review.

Heavy imports wait inside the command, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    review = commands.add_parser(
        "review", allow_abbrev=False, help="confirm pairs by hand in the browser"
    )
    values.add_aligner(review)
    values.add_sides(review)
    review.add_argument(
        "--pairs",
        type=values.file,
        metavar="CSV",
        help="file of pairs, to which the review adds (default: the pairs of the aligner)",
    )
    review.add_argument(
        "--out",
        type=values.path,
        metavar="DIR",
        help="output folder for pairs.csv and the log (default: the folder of --pairs, or review)",
    )
    review.add_argument(
        "--images",
        type=values.path,
        metavar="DIR",
        help="folder of pictures, named by the ids of their items",
    )
    review.add_argument(
        "--port", type=values.port, default=8000, help="port of the server (default: 8000)"
    )
    review.add_argument(
        "--seed", type=values.seed, default=0, help="seed of the random screens (default: 0)"
    )
    output.add(review)
    review.set_defaults(command=_review)


def _review(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import review
    from gentle_clip_jax.training.loading import open_aligner

    reviewed = review(
        open_aligner(args.aligner),
        args.x,
        args.y,
        args.pairs,
        out=args.out,
        images=args.images,
        seed=args.seed,
        port=args.port,
    )
    facts = {
        "answers": len(reviewed.answers),
        "pairs": len(reviewed.pairs),
        "known": reviewed.known,
        "curve": [point._asdict() for point in reviewed.curve],
    }
    return output.Done([reviewed.summary], facts, (str(reviewed.path),))
