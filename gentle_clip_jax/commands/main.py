"""The command line: from features to aligners and matches, from configs to runs.

Nothing that takes time is imported before Ctrl-C is listened for, and heavy imports wait inside the
commands, so that --help does not.
"""

import sys
from collections.abc import Sequence

from gentle_clip_jax.parallel import interrupt

_PURPOSE = """\
Align two modalities from a few matched pairs.

Example: gentle-clip quickstart"""
TYPE_CHECKING = False  # without the module typing, which takes as long as all that is here
if TYPE_CHECKING:
    import argparse


def main(argv: Sequence[str] | None = None, *, is_step: bool = False) -> int:
    """Run one command; return 0, 2 for bad input or usage, 130 for Ctrl-C, or 1 for a bug.

    A step of another command does not name the next one.
    """
    try:
        if argv is None:  # the process is this command, and Ctrl-C its own
            interrupt.listen()
        return _run(argv, is_step)
    except KeyboardInterrupt:
        code = interrupt.say()
        _leave_others(code)
        return code


def _run(argv: Sequence[str] | None, is_step: bool) -> int:
    from gentle_clip_jax.commands import failures, output
    from gentle_clip_jax.storage.text import escaped

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name of a file may be no text
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore
    parser = _parser()
    words = sys.argv[1:] if argv is None else argv
    if not words:  # as git does: help, and an exit code that a script notices
        parser.print_help()
        return failures.USAGE
    for given in words:
        if given.startswith("--") and given.endswith("=--"):  # argparse would make a list of it
            parser.error(f"argument {given.removesuffix('=--')}: -- is no value")
    args, overrides = parser.parse_known_args(argv)
    if overrides and not getattr(args, "config", None):
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    args.overrides, args.main, args.is_step = overrides, main, is_step
    if argv is None and not args.no_compilation_cache:
        from gentle_clip_jax.parallel import compilation_cache

        compilation_cache.use()
    try:
        code = output.run(args)
        sys.stdout.flush()
        return code
    except Exception as error:
        if args.traceback:
            raise
        message, code = failures.format_error(error, args)
        if message:
            print(f"gentle-clip: {escaped(message)}", file=sys.stderr, flush=True)
        else:
            failures.close_output()
        _leave_others(code, at_once=failures.is_full(error))
        return code


def _parser() -> "argparse.ArgumentParser":
    from gentle_clip_jax.commands import aligners, features, options, pairs, start, training, values

    parser = options.Command(
        prog="gentle-clip", description=options.described(_PURPOSE, "Two folders, and no pairs yet")
    )
    parser.add_argument("--version", action=values.Version)
    parser.flag("--traceback", "show where an error comes from")
    cache = "do not use the cache of compiled programs (~/.cache/gentle-clip, up to 512 MiB)"
    parser.flag("--no-compilation-cache", cache)
    shells = 'print the completion of a shell, as in eval "$(gentle-clip --print-completion bash)"'
    completion = {"choices": ("bash", "zsh", "tcsh"), "action": options.PrintCompletion}
    parser.add_argument("--print-completion", help=f"{shells} (default: none)", **completion)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in (start, features, aligners, pairs, training):
        group.add(commands)
    return parser


def _leave_others(code: int, *, at_once: bool = False) -> None:
    """End this process where others would wait for it, or a full disk would add warnings."""
    processes = sys.modules.get("gentle_clip_jax.parallel.processes")
    if processes is not None and (at_once or processes.is_supervised()):
        processes.leave(code)
