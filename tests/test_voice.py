"""The voice of messages and pages: phrases that a stranger would take for a riddle."""

import argparse
import ast
import pathlib
import re

from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.commands import main, options

ROOT = pathlib.Path(__file__).parents[1]
# Each with the words to say instead.
BANNED = {
    "turned down": "not used",
    "no free item": "that item already has a partner",
    "as it was written": "checksum mismatch",
    "mend that": "fix this and run the same command again",
    "see to that": "fix this and run the same command again",
    "of other hands": "of other sources",
    "pairs bear": "pairs can support",
    "stands? out": "differs from",
    "(best|better|methods) of pairs alone": "pairs-only method",
    "what is ranked": "the gallery",
    "liker": "more similar",
    "to tell of": "to report",
    "a say in": "an influence on",
    "nothing can be said": "there is no evidence",
}


def texts():
    """Yield every string of the package, docstrings too, and every page, with its place."""
    for path in sorted((ROOT / "gentle_clip_jax").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        yield str(path.relative_to(ROOT)), path.read_text()


def test_no_message_and_no_page_is_a_riddle():
    found = [
        f"{place}: {match[0]!r}: say {instead!r}"
        for place, text in texts()
        for phrase, instead in BANNED.items()
        for match in re.finditer(rf"\b{phrase}\b", text)
    ]
    assert not found, "\n".join(found)


def helps(parser, name="gentle-clip"):
    """Yield every help line of a parser and of its commands, with its place."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action._choices_actions:
                yield f"{name} {command.dest}", command.help
            for command, below in action.choices.items():
                yield from helps(below, f"{name} {command}")
        elif action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction):
            yield f"{name} {action.option_strings or action.dest}", action.help


def test_every_option_that_may_be_left_out_states_its_default():
    left_out = [
        f"{action.option_strings}: {action.help!r}"
        for action in options.all_actions(main._parser())
        if action.option_strings and action.nargs != 0 and not action.required
        if "default" not in action.help and "required unless" not in action.help
        if action.dest not in ("x", "y", "aligner", "workdir")  # one of two is required
    ]
    assert not left_out, "\n".join(left_out)
    for action in options.all_actions(main._parser()):
        if isinstance(action.default, int | float) and action.nargs != 0:
            assert f"default: {action.default}" in action.help, action.option_strings


def test_the_help_names_every_method():
    assert {*options.METHODS.split(", ")} == METHODS.keys()


def test_every_help_line_is_complete():
    fragment = re.compile(r"(of|for|what|which|how|so|e\.g\.|default:) ", re.IGNORECASE)
    found = [
        f"{place}: {line!r}"
        for place, line in helps(main._parser())
        if not line or fragment.match(line) or len(line.split()) < 2
    ]
    assert not found, "\n".join(found)
