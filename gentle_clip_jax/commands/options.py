"""Declarations of commands, and of the options that several of them share."""

import argparse
import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from gentle_clip_jax.commands import output, values

Result = TypeVar("Result")
# What an option takes, by its name in --help.
_KINDS = {
    **dict.fromkeys(("CONFIG", "CSV", "DIR", "PATH"), values.path),
    **dict.fromkeys(("ITEM", "KEY,KEY", "NAME", "NAME,NAME", "ORG/NAME", "TEXT"), values.name),
    "FILE": values.file,
    "N": values.number,
    "I/N": values.shard,
    "S": values.share,
}
# The names of all methods: aligners.METHODS, which takes long to import.
METHODS = (
    "cca, procrustes, ridge, relative, cca_relative, joint, joint_adapted, transported_cca, "
    "gentle_transport, gentle_relative, named_transport"
)


class Command(argparse.ArgumentParser):
    """A parser that shows a description as it is, and whose errors are one line."""

    def __init__(self, **settings: Any):
        kind = argparse.RawDescriptionHelpFormatter
        super().__init__(formatter_class=kind, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """End the command with exit code 2."""
        see = " See" if message.endswith("?") else ": see"
        self.exit(2, f"gentle-clip: {' '.join(message.split())}{see} {self.prog} --help.\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; a mistyped command or option is named before others that are missing."""
        options = self._option_string_actions
        for word in sys.argv[1:] if args is None else args:
            name = word.partition("=")[0]
            if word == "--" or (self._subparsers and not word.startswith("-")):
                break
            # --config.KEY overrides a config, which says itself what is wrong with it.
            if re.fullmatch(r"--[^ .]+", name) and name not in options:
                near = _like(name, options)
                if near or "--config" not in options:
                    self.error(f"there is no option {name}{near}")
        return super().parse_known_args(args, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            kind = str(action.metavar).lower()
            self.error(f"there is no {kind} {value!r}{_like(value, action.choices)}")
        super()._check_value(action, value)

    def option(
        self, name: str, kind: str, help: str, *, group: Any = None, **settings: Any
    ) -> None:
        """Add an option or argument of a kind, such as "PATH" or "N", to a group or to all."""
        settings = {"type": _KINDS.get(kind), **settings}
        (group or self).add_argument(name, metavar=kind, help=help, **settings)

    def choice(self, name: str, choices: Sequence[str], help: str, **settings: Any) -> None:
        """Add an option that takes one of a few words."""
        self.add_argument(name, choices=choices, help=help, **settings)

    def flag(self, name: str, help: str, *, group: Any = None) -> None:
        """Add an option without a value."""
        (group or self).add_argument(name, action="store_true", help=help)

    def out(self, help: str) -> None:
        """Add --out, the folder that the command writes."""
        self.option("--out", "DIR", help, required=True)

    def seed(self) -> None:
        """Add --seed."""
        help = "seed of random choices (default: 0)"
        self.option("--seed", "N", help, type=values.seed, default=0)

    def aligner(self, *, runs: bool = True, required: bool = True) -> None:
        """Add --aligner, a folder that align has saved, or with `runs` that of a trained run."""
        run = ", or of a trained run, which takes raw items instead of features" if runs else ""
        default = "" if required else " (default: none, and the first pairs are found by words)"
        self.option("--aligner", "DIR", f"folder of an aligner{run}{default}", required=required)

    def collection(self, name: str, of: str, default: str = "", **settings: Any) -> None:
        """Add an option that takes a collection."""
        self.option(
            name,
            "PATH",
            f"collection {of}: a file of features, or a folder written by encode{default}",
            **settings,
        )

    def collections(self) -> None:
        """Add --x and --y, the collections of both modalities."""
        for name in "xy":
            self.collection(f"--{name}", f"of {name}", required=True)

    def pairs(self, default: str = "equal ids are pairs") -> None:
        """Add --pairs, the ids that belong together."""
        help = (
            "table of pairs, 3 or more, an id of x and of y on each line; FILE:NAME,NAME names its "
            f"columns (default: {default})"
        )
        self.option("--pairs", "CSV", help)

    def names(self) -> None:
        """Add --x-name and --y-name, by which pages and sentences call the items."""
        for name in "xy":
            help = f"name for items of {name} on pages, e.g. cell (default: the name of the file)"
            self.option(f"--{name}-name", "NAME", help)


def _like(word: str, known: Iterable[str]) -> str:
    """Return a question that names the known word nearest to a mistyped one, or nothing."""
    near = difflib.get_close_matches(word, [*known], 1, cutoff=0.7)
    return f". Did you mean {near[0]}?" if near else ""


def all_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options and arguments of a parser and of all its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from all_actions(command)


class PrintCompletion(argparse.Action):
    """Print what a shell needs to complete commands, options and paths, and end."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, shell: Any, *__: Any) -> None:
        import shtab

        for action in all_actions(parser):
            if action.type in (values.path, values.file):
                action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
        print(shtab.complete(parser, shell))
        parser.exit()


def call(function: Callable[..., Result], args: argparse.Namespace, **others: Any) -> Result:
    """Call a public function with the options that are named as its parameters, and with others."""
    names = inspect.signature(function).parameters.keys() & vars(args).keys()
    return function(**({name: getattr(args, name) for name in names} | others))


def described(text: str, page: str) -> str:
    """Return a description that ends in a page by its title, as a wheel has no pages."""
    return f'{text}\nMore: page "{page}" of the documentation'


def add_command(
    commands: Any, run: Callable[..., output.Done], page: str, *, statistics: bool = False
) -> Command:
    """Add a command, which `run` carries out, with the options that every command has.

    It has the function's name, and its docstring as --help: a purpose and an example, to which the
    page is added. With `statistics` it prints plain sentences, and their figures with --verbose.
    """
    text, name = inspect.getdoc(run) or "", run.__name__.strip("_")
    description, help = described(text, page), text.partition("\n")[0]
    command = commands.add_parser(name, help=help, description=description)
    command.set_defaults(command=run)
    ways = command.add_mutually_exclusive_group()
    command.flag("--quiet", "print nothing but warnings and errors", group=ways)
    command.flag("--json", "print one JSON object, for programs", group=ways)
    if statistics:
        command.flag("--verbose", "print the statistics behind each sentence too", group=ways)
    return command
