"""The command that asks a person for partners: review."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output, values
from gentle_clip_jax.parallel import interrupt


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    review = options.add_command(commands, _review, statistics=True)
    review.aligner(required=False)
    review.collections()
    pairs = (
        "file of pairs, which may be missing or empty; the review adds to it (default: the pairs "
        "of the aligner, in the folder of --out)"
    )
    review.option("--pairs", "CSV", pairs, type=values.file)
    out = "output folder for pairs.csv and the log (default: the folder of --pairs, or review)"
    review.option("--out", "DIR", out)
    images = "folder of pictures, named by the ids of their items (default: those that encode read)"
    review.option("--images", "DIR", images)
    port = "port of the server (default: 8000)"
    review.option("--port", "N", port, type=values.port, default=8000)
    save = "output folder for an aligner that is fitted to all pairs at the end (default: none)"
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
    interrupt.handled()  # Ctrl-C ended the page, and what follows may take longer
    facts = {
        "answers": len(reviewed.answers),
        "pairs": len(reviewed.pairs),
        "known": reviewed.known,
        "curve": [point._asdict() for point in reviewed.curve],
    }
    stored, *figures = reviewed.summary
    lines = [f"{stored.removesuffix('.')}; run the same command again to continue.", *figures]
    written = [str(reviewed.path)]
    if args.save_aligner:
        aligner = align(args.x, args.y, reviewed.path, out=args.save_aligner)
        lines, written = [*lines, *aligner.summary], [*written, args.save_aligner]
    elif not args.aligner:
        lines.append(
            f"Next: gentle-clip align --x={args.x} --y={args.y} --pairs={reviewed.path} "
            "--out=aligner"
        )
    head = ["pairs", "held-out partners among the first ten, %", "from (95 %)", "to"]
    points = [[f"{p.pairs:,}", *(f"{100 * s:.0f}" for s in p[1:])] for p in reviewed.curve]
    curve = [output.table(head, points)] if points else []
    return output.Done(lines, facts, tuple(written), statistics=curve)
