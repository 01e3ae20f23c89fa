"""What options take: each refuses, before a command begins, what cannot be meant."""

import argparse
import os
import stat
from collections.abc import Callable
from typing import Any, NoReturn

MOST_LETTERS = 60  # of what an item is called
_SHOWN = 40  # letters of a wrong value
_MOST_SHARDS = 100_000
LARGEST_SEED = 2**32 - 1  # jax.random.key takes 32 bits


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the command with exit code 2."""
        self.exit(2, f"gentle-clip: {' '.join(message.split())}: see {self.prog} --help.\n")


class Version(argparse.Action):
    """Prints the version and ends; it is looked up only then."""

    def __init__(self, **keywords: Any):
        super().__init__(nargs=0, help="show the version and end", **keywords)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import gentle_clip_jax

        print(gentle_clip_jax.__version__)
        parser.exit()


def path(text: str) -> str:
    """A path; the empty one would be the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty, give one")
    return text


def file(text: str) -> str:
    """A path to write a file to; what is there is replaced, and so must be a file of its kind."""
    try:
        about = os.stat(path(text))
    except (OSError, ValueError):  # it is not there, or the command will say what is wrong with it
        return text
    if not stat.S_ISREG(about.st_mode):
        raise argparse.ArgumentTypeError(
            f"{_shown(text)} is a folder, a device or a pipe, give a file"
        )
    return text


def name(text: str) -> str:
    """A word or more."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty, give a name or leave it out")
    return text


def label(text: str) -> str:
    """What an item is called, on pages and in pictures."""
    if len(name(text)) > MOST_LETTERS:
        raise argparse.ArgumentTypeError(
            f"it has {len(text)} letters, give one of {MOST_LETTERS} at most"
        )
    return text


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number between two others, both included."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"it must be a whole number from {low} to {high}, not {_shown(text)}"
            )
        return value

    return parse


seed = whole(0, LARGEST_SEED)
number = whole(1, 1_000_000)
port = whole(0, 65_535)


def shard(text: str) -> tuple[int, int]:
    """I/N, number I of N shards, from 0."""
    number, slash, count = text.partition("/")
    digits = slash and number.isdecimal() and count.isdecimal()
    if not digits or not int(number) < int(count) <= _MOST_SHARDS:
        raise argparse.ArgumentTypeError(
            f"it must be I/N, with I from 0 to N-1, as 0/4 is, not {_shown(text)}"
        )
    return int(number), int(count)


def share(text: str) -> float:
    """A number above 0 and up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"it must be a number above 0 and up to 1, not {_shown(text)}"
        )
    return value


def address(text: str) -> str:
    """HOST:PORT, or auto."""
    from gentle_clip_jax.parallel.address import check_address

    try:
        check_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from error
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def add_aligner(command: argparse.ArgumentParser, *, runs: bool = True) -> None:
    """Adds --aligner, a folder that align has saved, or with `runs` that of a trained run."""
    text = "folder of an aligner"
    if runs:
        text += ", or of a trained run, which takes raw items instead of features"
    command.add_argument("--aligner", required=True, type=path, metavar="DIR", help=text)


def add_sides(command: argparse.ArgumentParser) -> None:
    """Adds --x and --y, the embeddings of both modalities."""
    for name in ("x", "y"):
        text = f"collection of {name}: features, or a folder of features"
        command.add_argument(f"--{name}", required=True, type=path, metavar="PATH", help=text)


def add_pairs(command: argparse.ArgumentParser) -> None:
    """Adds --pairs, of the ids that belong together."""
    command.add_argument(
        "--pairs",
        type=path,
        metavar="CSV",
        help="file of pairs: an id of x and of y on each line (default: equal ids are pairs)",
    )


def add_out(command: argparse.ArgumentParser, text: str) -> None:
    """Adds --out, a folder, with its help line."""
    command.add_argument("--out", required=True, type=path, metavar="DIR", help=text)


def add_seed(command: argparse.ArgumentParser) -> None:
    """Adds --seed."""
    text = "seed of random choices (default: 0)"
    command.add_argument("--seed", type=seed, default=0, metavar="N", help=text)


def add_names(command: argparse.ArgumentParser) -> None:
    """Adds --x-name and --y-name, what pages and sentences call the items."""
    for side in ("x", "y"):
        command.add_argument(
            f"--{side}-name",
            type=label,
            metavar="NAME",
            help=f"name for items of {side} on pages, e.g. cell (default: the name of the file)",
        )
