"""The command that asks a person for partners: review.

Heavy imports wait inside the command, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the command to a parser's."""
    review = commands.add_parser(
        "review", allow_abbrev=False, help="confirm pairs by hand in the browser"
    )
    values.add_aligner(review)
    values.add_sides(review)
    review.add_argument(
        "--pairs",
        required=True,
        type=values.file,
        metavar="CSV",
        help="file of pairs, to which the review adds",
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
    from gentle_clip_jax.reviewing import opened
    from gentle_clip_jax.training.loading import open_aligner

    aligner = open_aligner(args.aligner)
    with opened.review(
        aligner, args.x, args.y, args.pairs, images=args.images, seed=args.seed
    ) as review:
        if review.progress is None:
            print("A run's towers stay as they are: answers are pairs for its next training.")
        if review.show.session.question() is None:
            return output.Done([review.show.nothing_left()])
        from gentle_clip_jax.reviewing import server

        review.show.session.begin()
        server.serve(review.show, review.progress, args.port)
        return output.Done(outputs=(args.pairs,))
