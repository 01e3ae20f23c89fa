"""Commands to begin with: quickstart, example, doctor."""

import argparse
import sys
from typing import Any

from gentle_clip_jax.commands import failures, options, output, values
from gentle_clip_jax.storage.text import command


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    quickstart = options.add_command(commands, _quickstart, "Two folders, and no pairs yet")
    out = (
        "output folder; its emoji/answers.csv is the table of the true pairs (default: quickstart)"
    )
    quickstart.option("--out", "DIR", out, default="quickstart")
    quickstart.option("--num", "N", "number of emoji (default: all)", type=values.whole(60, 5000))
    screens = "number of answers of the simulated review (default: 450)"
    quickstart.option("--screens", "N", screens, type=values.whole(1, 5000), default=450)
    _add_example(commands)
    options.add_command(commands, _doctor, "Reference")


def _add_example(commands: Any) -> None:
    example = options.add_command(commands, _example, "Two folders, and no pairs yet")
    example.out("output folder for pictures/, texts/ and answers.csv, the table of the true pairs")
    number = "number of pictures and of texts (default: 500; with --emoji all)"
    example.option("--num", "N", number, type=values.whole(1, 100_000))
    example.flag("--emoji", "draw emoji, with their English names, instead of shapes")
    example.seed()
    answer = "ask.csv of the data in --out, to be filled in from answers.csv (default: none)"
    example.option("--answer", "FILE", answer)


def _quickstart(args: argparse.Namespace) -> output.Done:
    """Demonstrate all steps on emoji and their names, from two folders to a page to show.

    Example: gentle-clip quickstart --out=quickstart
    """
    from gentle_clip_jax.reviewing.demonstration import demonstrate

    done = demonstrate(
        args.out,
        lambda words: args.main([*words, *["--quiet"] * args.quiet], is_step=True),
        _tell,
        num=args.num,
        screens=args.screens,
    )
    if isinstance(done, int):
        return output.Done(facts=None, code=done)
    recall = [stage.recall for stage in done.stages]
    facts = {"proposed": len(done.matches), "right": done.right, "recall": recall}
    written = tuple(str(done.out / name) for name in ("aligner", "matches", "quickstart.html"))
    return output.Done(done.lines, facts, written)


def _tell(line: str) -> None:
    """Print a line; one that begins with a carriage return stays in its place on a terminal."""
    is_terminal, in_place = sys.stdout.isatty(), line.startswith("\r")
    text = line if is_terminal else line.removeprefix("\r")
    print(text, end="" if in_place and is_terminal else "\n", flush=True)


def _example(args: argparse.Namespace) -> output.Done:
    """Write example data: a folder of pictures and one of texts.

    Example: gentle-clip example --out=example
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
    said = f"{number:,} pictures, as many texts; {written[2]} has the true pairs, to check results."
    steps = (
        command("encode", encoder=encoder, data=folder / name, out=f"features/{name}")
        for encoder, name in (("efficientnet-lite0", "pictures"), ("minilm", "texts"))
    )
    return output.Done([said, *notes], {"number": number}, written, next=" && ".join(steps))


def _doctor(_: argparse.Namespace) -> output.Done:
    """Report what is installed, what is missing and how to install it.

    Example: gentle-clip doctor
    """
    from gentle_clip_jax import doctor

    found = doctor.examine()
    return output.Done(doctor.lines(found), found, code=failures.USAGE * bool(found["broken"]))
