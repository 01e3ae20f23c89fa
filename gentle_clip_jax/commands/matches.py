"""The command on matches: match.

Heavy imports wait inside the command, so that --help does not.
"""

import argparse
from typing import TYPE_CHECKING, Any

from gentle_clip_jax.commands import output, values
from gentle_clip_jax.commands.aligners import classes_of

if TYPE_CHECKING:
    from gentle_clip_jax.features.collection import Collection


def add(commands: Any) -> None:
    """Adds the command to a parser's."""
    match = commands.add_parser(
        "match", allow_abbrev=False, help="a partner for every item, and how probable it is"
    )
    values.add_aligner(match)
    values.add_sides(match)
    values.add_pairs(match)
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
    import jax
    import numpy as np

    from gentle_clip_jax.aligners.candidates import NAMED
    from gentle_clip_jax.aligning.fit import held_out_of
    from gentle_clip_jax.features.pairs import read_matched
    from gentle_clip_jax.matching import match, write
    from gentle_clip_jax.matching.page import Named, matches_page
    from gentle_clip_jax.training.loading import open_aligner

    opened = open_aligner(args.aligner)
    aligner, (x, _), (y, _) = opened.aligner, opened.read(args.x, "x"), opened.read(args.y, "y")
    method = aligner.about["method"]
    joined_x, joined_y, pairs = read_matched(args.pairs, x, y)
    held_out = held_out_of(aligner, x, y, pairs)
    x, y = joined_x, joined_y
    rows = [items.numbers_of(pairs[:, column]) for column, items in enumerate((x, y))]
    matches = match(
        aligner,
        x.of_items(x.items),
        y.of_items(y.items),
        pairs=np.stack(rows, axis=1),
        share=args.share,
        one_to_one=args.one_to_one,
        key=jax.random.key(args.seed),
        classes=classes_of(x, y) if method == NAMED else None,
        held_out=held_out,
    )
    x_name, y_name = aligner.about.get("modalities", ("x", "y"))
    page = matches_page(
        matches,
        Named(x, x_name, args.x),
        Named(y, y_name, args.y),
        aligner=args.aligner,
        pairs=args.pairs,
        is_run=not aligner.can_refit,
    )
    write(matches, args.out, x.items, y.items, y_texts=_first_texts(y), page=page)
    said = [matches.summary]
    if not aligner.can_refit:
        said.append("This holds if the run was not trained on any of these pairs.")
    return output.Done(said, matches.about, (args.out,))


def _first_texts(items: "Collection") -> list[str]:
    """The first line of each item's first text, "" for an item without."""
    return [texts[0].partition("\n")[0] if texts else "" for texts in items.item_texts]
