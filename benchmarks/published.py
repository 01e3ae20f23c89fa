"""A page of results and the JSON that it is drawn from, for the benchmarks that write both."""

import pathlib
import shlex
import sys
from collections.abc import Callable

from gentle_clip_jax.files import write_json, write_text
from gentle_clip_jax.runs.log import machine


def publish(out: pathlib.Path, rows: list[dict], page: Callable[[dict], str]) -> None:
    """Writes out.json and out.md of the benchmark that has the name of `out`, as it was called."""
    command = shlex.join(["python", f"benchmarks/{out.name}.py", *sys.argv[1:]])
    content = {"command": command, "machine": machine(), "rows": rows}
    write_json(out.with_suffix(".json"), content)
    write_text(out.with_suffix(".md"), page(content))
