"""What it takes to run it again: command, seed, versions and config."""

from collections.abc import Iterable
from html import escape
from typing import Any

from gentle_clip_jax.runs.differences import ABSENT, differences, flat
from gentle_clip_jax.runs.read import Run


def settings_section(runs: dict[str, Run]) -> str:
    """How the run was made, what sets the compared runs apart, and the whole config."""
    run = next(iter(runs.values()))
    info = dict(run.info)
    versions, command = info.pop("versions", {}), info.pop("command", None)
    if "seconds" in info:
        info["seconds"] = _duration(info["seconds"])
    command = f"<pre><code>{escape(str(command))}</code></pre>" if command else ""
    facts = flat(info) | flat(versions)
    made = _table(["", ""], facts.items())
    return f"""
<section><h2>How it was made</h2>{command}
<div class="columns"><div>{made if facts else "<p>No run.json has been written yet.</p>"}</div>
<div>{_differences(runs)}</div></div>
<details><summary>The whole config</summary>
{_table(["key", "value"], flat(run.config).items())}</details>
</section>"""


def _differences(runs: dict[str, Run]) -> str:
    if len(runs) == 1:
        return ""
    configs = [flat(run.config) for run in runs.values()]
    keys = {key: None for other in configs[1:] for key in differences(configs[0], other)}
    lines = [[key, *(config.get(key, ABSENT) for config in configs)] for key in keys]
    table = _table(["key", *runs], lines) if lines else "<p>Nothing in their configs.</p>"
    return f"<h3>What sets the runs apart</h3>{table}"


def _table(head: list[str], lines: Iterable[Iterable[Any]]) -> str:
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row">{escape(str(key))}</th>'
        + "".join(f"<td>{escape(str(value))}</td>" for value in values)
        + "</tr>"
        for key, *values in lines
    )
    head_row = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    return f'<div class="scroll"><table class="keys">{head_row}<tbody>{body}</tbody></table></div>'


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
