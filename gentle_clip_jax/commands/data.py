"""Commands on data sets: example, data list, data prepare."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output, values


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    example = options.add_command(commands, _example)
    example.out("output folder for pictures/ and texts/")
    most, number = (
        values.whole(1, 100_000),
        "number of pictures and of texts (default: 500; with --emoji all)",
    )
    example.option("--num", "N", number, type=most)
    example.flag("--emoji", "draw emoji, with their English names, instead of shapes")
    example.seed()
    answer = "ask.csv, made for the data in --out, to fill the partners into (default: none)"
    example.option("--answer", "FILE", answer)
    purpose = "List or prepare data sets for training."
    text = f"{purpose}\n\nExample: gentle-clip data list\nMore: docs/train_encoders.md"
    data = commands.add_parser("data", help=purpose, description=text)
    actions = data.add_subparsers(metavar="ACTION", required=True)
    options.add_command(actions, _list)
    prepare = options.add_command(actions, _prepare)
    prepare.option("name", "NAME", "name of the data set, see gentle-clip data list; e.g. folder")
    prepare.option("--data", "DIR", "folder of its files", required=True)
    prepare.out("output folder for prepared data sets")
    skipped = "maximum number of damaged items (default: 10)"
    prepare.option("--max-skipped", "N", skipped, type=values.whole(0, 10**9), default=10)


def _example(args: argparse.Namespace) -> output.Done:
    """Write example data: a folder of pictures and one of texts.

    Example: gentle-clip example --out=example
    More: docs/tutorial.md
    """
    from gentle_clip_jax.data.example import ANSWERS, fill_sheet, write_example

    if args.answer:
        filled = fill_sheet(args.out, args.answer)
        said = f"{args.answer}: {filled} partners filled in."
        return output.Done([said], {"filled": filled}, (args.answer,))
    shown, notes, number = None, [], args.num or 500
    if args.emoji:
        from gentle_clip_jax.data import openmoji

        shown = openmoji.pictures_and_names(args.num, seed=args.seed)
        notes, number = [openmoji.LICENCE], len(shown)
    folder = write_example(args.out, number=number, seed=args.seed, shown=shown, notes=notes)
    written = tuple(str(folder / name) for name in ("pictures", "texts", ANSWERS))
    return output.Done([f"{number:,} of each.", *notes], {"number": number}, written)


def _list(_: argparse.Namespace) -> output.Done:
    """List the data sets that can be prepared.

    Example: gentle-clip data list
    More: docs/train_encoders.md
    """
    from gentle_clip_jax.data.prepare import list_data_sets, name_readers

    known = list_data_sets()
    rows = ((name, one["field"], one["title"], one["cite"]) for name, one in known.items())
    table = output.table(["name", "field", "title", "source"], rows)
    others = name_readers(name for name, one in known.items() if not one["trained"])
    return output.Done([table, others], {"data_sets": known})


def _prepare(args: argparse.Namespace) -> output.Done:
    """Convert a folder into a data set with random access.

    Example: gentle-clip data prepare rsicd --data=downloads/rsicd --out=data
    More: docs/train_encoders.md
    """
    from gentle_clip_jax.data.prepare import prepare

    folder = prepare(args.name, args.data, args.out, max_skipped=args.max_skipped)
    return output.Done(outputs=(str(folder),))
