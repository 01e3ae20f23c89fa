"""Commands that hand on what was made: export, push.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax import progress
from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    export = commands.add_parser(
        "export", allow_abbrev=False, help="an aligner or a run for programs without this package"
    )
    of = export.add_mutually_exclusive_group(required=True)
    of.add_argument("--aligner", type=values.path, metavar="DIR", help="of gentle-clip align")
    of.add_argument("--workdir", type=values.path, metavar="DIR", help="of gentle-clip train")
    export.add_argument(
        "--format",
        choices=("stablehlo", "numpy", "onnx"),
        default="stablehlo",
        help="programs for jax alone (the default), matrices, or ONNX",
    )
    export.add_argument(
        "--out", required=True, type=values.path, metavar="DIR", help="a new folder"
    )
    export.set_defaults(command=_export)
    push = commands.add_parser(
        "push", allow_abbrev=False, help="put an aligner on the Hugging Face Hub, with a card"
    )
    push.add_argument("repo", type=values.name, metavar="ORG/NAME", help="made if it is not there")
    push.add_argument("--private", action="store_true", help="of a repository that is made")
    push.add_argument(
        "--license", type=values.name, metavar="NAME", help="of the aligner, e.g. apache-2.0"
    )
    push.add_argument(
        "--also",
        type=values.name,
        metavar="KEY,KEY",
        help="more of what the aligner tells of itself, such as ids that were given to it",
    )
    push.set_defaults(command=_push)
    values.add_aligner(push, runs=False)
    for command in (export, push):
        output.add(command)


def _export(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import export, restore

    with progress.working("compiling"):
        of = restore(args.workdir) if args.workdir else args.aligner
        files = export(of, args.out, format=args.format)
    return output.Done(facts={"format": args.format}, outputs=tuple(map(str, files)))


def _push(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.aligners.hub import push

    also = args.also.split(",") if args.also else ()
    url = push(args.aligner, args.repo, private=args.private, license=args.license, also=also)
    then = f'It is at {url}. Others load it by load("hf://{args.repo}").'
    return output.Done([then], {"url": url})
