"""The command that asks a person for partners: review."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output, values


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    review = options.add_command(commands, _review)
    review.aligner()
    review.collections()
    pairs = "file of pairs, to which the review adds (default: the pairs of the aligner)"
    review.option("--pairs", "CSV", pairs, type=values.file)
    out = "output folder for pairs.csv and the log (default: the folder of --pairs, or review)"
    review.option("--out", "DIR", out)
    review.option("--images", "DIR", "folder of pictures, named by the ids of their items")
    port = "port of the server (default: 8000)"
    review.option("--port", "N", port, type=values.port, default=8000)
    review.seed()


def _review(args: argparse.Namespace) -> output.Done:
    """Confirm pairs by hand in the browser.

    Example: gentle-clip review --aligner=aligner --x=pictures.npy --y=texts.npy --pairs=pairs.csv
    More: docs/review.md
    """
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
