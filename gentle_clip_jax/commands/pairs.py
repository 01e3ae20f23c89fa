"""Commands on pairs: review, match, calibrate."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output, values
from gentle_clip_jax.parallel import interrupt
from gentle_clip_jax.storage.text import command

_MATCHES = ("matches.html", "matches.csv", "accepted.csv", "groups.csv", "candidates.parquet")
_MATCHES += ("matches.json",)


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    _add_review(commands)
    _add_match(commands)
    _add_calibrate(commands)


def _add_review(commands: Any) -> None:
    review = options.add_command(commands, _review, "Review and match", statistics=True)
    review.aligner(required=False)
    review.collections()
    pairs = (
        "file of pairs, which may be missing or empty; the review adds to it. A table with "
        "semicolons, .xlsx or not in UTF-8 is not changed: NAME-review/pairs.csv beside it has its "
        "pairs and the new ones (default: the pairs of the aligner, in the folder of --out)"
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


def _add_match(commands: Any) -> None:
    match = options.add_command(commands, _match, "Review and match", statistics=True)
    match.aligner()
    match.collections()
    match.pairs("the pairs that the aligner was fitted to")
    share = (
        "share, above 0 to 1, of the unmatched items of x that have a partner in y; it needs 60 "
        "pairs (default: none, and matches have no probabilities)"
    )
    match.option("--share", "S", share)
    match.out(f"output folder for {', '.join(_MATCHES)}")
    least = (
        "least probability, above 0 to 1, of a match in accepted.csv; it needs 60 pairs and "
        "--share (default: 0.5)"
    )
    error = (
        "write into accepted.csv the longest list of matches of which at most this share, above 0 "
        "and below 1, is wrong, without known pairs; it needs 60 pairs and --share "
        "(default: none, --accept decides)"
    )
    chosen = match.add_mutually_exclusive_group()
    match.option("--accept", "S", least, default=0.5, group=chosen)
    match.option("--fdr", "S", error, group=chosen)
    coverage = (
        "write sets.csv, for each item of x a set of items of y that holds its partner with this "
        "probability, above 0 and below 1; it needs 60 pairs (default: none)"
    )
    match.option("--coverage", "S", coverage)
    match.flag("--xlsx", "write matches.xlsx too, a workbook of text cells")
    ways = match.add_mutually_exclusive_group()
    match.flag("--many-to-one", "match each item of x with its nearest of y (default)", group=ways)
    match.flag("--one-to-one", "use each item of y at most once", group=ways)
    match.seed()


def _add_calibrate(commands: Any) -> None:
    calibrate = options.add_command(commands, _calibrate, "Review and match", statistics=True)
    scores = "table with columns x, y and score, higher is better; the best rows of each x suffice"
    calibrate.option("--scores", "CSV", scores, required=True)
    pairs = (
        "table with columns x and y of 60 known pairs or more, which the program that gave the "
        "scores was not trained on"
    )
    calibrate.option("--pairs", "CSV", pairs, required=True)
    share = (
        "share, above 0 to 1, of the items of x without a known partner that have a partner in y "
        "(default: 1)"
    )
    calibrate.option("--share", "S", share, default=1)
    error = (
        "write accepted.csv too, the longest list of matches of which at most this share, above 0 "
        "and below 1, is wrong (default: none)"
    )
    calibrate.option("--fdr", "S", error)
    coverage = (
        "write sets.csv too, for each x the candidates that hold its partner with this "
        "probability, above 0 and below 1 (default: none)"
    )
    calibrate.option("--coverage", "S", coverage)
    calibrate.out("output folder for matches.csv, calibrated.html and calibrated.json")


def _review(args: argparse.Namespace) -> output.Done:
    """Find and confirm pairs by hand in the browser; without --aligner, begin with none.

    Example: gentle-clip review --x=features/pictures --y=features/texts --pairs=pairs.csv
    """
    from gentle_clip_jax import align, review
    from gentle_clip_jax.training.loading import open_aligner

    aligner = open_aligner(args.aligner) if args.aligner else None
    reviewed = options.call(review, args, aligner=aligner)
    interrupt.handled()  # Ctrl-C ended the page, and what follows may take longer
    stored, *figures = reviewed.summary
    lines = [f"{stored.removesuffix('.')}; run the same command again to continue.", *figures]
    written = (str(reviewed.path),)
    data, then = {"x": args.x, "y": args.y, "pairs": reviewed.path}, ""
    if args.save_aligner:
        fitted = align(args.x, args.y, reviewed.path, out=args.save_aligner)
        lines, written = [*lines, *fitted.summary], (*written, args.save_aligner)
        then = command("match", aligner=args.save_aligner, **data, out="matches")
    elif aligner is None or aligner.aligner.can_refit:
        then = command("align", **data, out=args.aligner or "aligner")
    return output.Done(lines, reviewed.metadata, written, statistics=reviewed.lines, next=then)


def _match(args: argparse.Namespace) -> output.Done:
    """Find a partner for every item of x, with its probability.

    Example: gentle-clip match --aligner=aligner --x=pictures.npy --y=texts.npy --out=matches
    """
    from gentle_clip_jax import match
    from gentle_clip_jax.training.loading import open_aligner

    matches = options.call(match, args, aligner=open_aligner(args.aligner))
    matches.save(args.out, accept=args.accept, xlsx=args.xlsx)
    facts, statistics = matches.metadata, matches.lines
    then = f"open {args.out}/matches.html in a browser, and accept or reject matches"
    names = (*_MATCHES, "matches.xlsx") if args.xlsx else _MATCHES
    names += () if matches.matches.sets is None else ("sets.csv",)
    files = tuple(f"{args.out}/{name}" for name in names)
    return output.Done([matches.summary], facts, files, statistics=statistics, next=then)


def _calibrate(args: argparse.Namespace) -> output.Done:
    """Turn the scores of any program into probabilities, by known pairs.

    Example: gentle-clip calibrate --scores=scores.csv --pairs=pairs.csv --out=calibrated
    """
    from gentle_clip_jax import calibrate

    result = options.call(calibrate, args)
    result.save(args.out)
    names = ("calibrated.html", "matches.csv", "calibrated.json")
    names += () if args.fdr is None else ("accepted.csv",)
    names += () if args.coverage is None else ("sets.csv",)
    files = tuple(f"{args.out}/{name}" for name in names)
    then = f"open {args.out}/calibrated.html in a browser"
    facts = result.metadata
    return output.Done([result.summary], facts, files, statistics=result.lines, next=then)
