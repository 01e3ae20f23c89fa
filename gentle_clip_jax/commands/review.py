"""The command that asks a person for partners: review."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output, values


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    review = options.add_command(commands, _review)
    review.aligner(required=False)
    review.collections()
    pairs = (
        "file of pairs, which may be missing or empty; the review adds to it (default: the pairs "
        "of the aligner, in the folder of --out)"
    )
    review.option("--pairs", "CSV", pairs, type=values.file)
    out = "output folder for pairs.csv and the log (default: the folder of --pairs, or review)"
    review.option("--out", "DIR", out)
    review.option("--images", "DIR", "folder of pictures, named by the ids of their items")
    port = "port of the server (default: 8000)"
    review.option("--port", "N", port, type=values.port, default=8000)
    save = "at the end, align with all pairs and save the aligner in this folder"
    review.option("--save-aligner", "DIR", save)
    review.seed()


def _review(args: argparse.Namespace) -> output.Done:
    """Find and confirm pairs by hand in the browser; without --aligner, begin with none.

    Example: gentle-clip review --x=features/pictures --y=features/texts --pairs=pairs.csv
    More: docs/review_and_match.md
    """
    from gentle_clip_jax import align, review
    from gentle_clip_jax.training.loading import open_aligner

    reviewed = review(
        open_aligner(args.aligner) if args.aligner else None,
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
    lines, written = [reviewed.summary], [str(reviewed.path)]
    if args.save_aligner:
        aligner = align(args.x, args.y, reviewed.path, out=args.save_aligner)
        lines, written = [*lines, *aligner.summary], [*written, args.save_aligner]
    elif not args.aligner:
        lines.append(
            f"Next: gentle-clip align --x={args.x} --y={args.y} --pairs={reviewed.path} "
            "--out=aligner"
        )
    return output.Done(lines, facts, tuple(written))
