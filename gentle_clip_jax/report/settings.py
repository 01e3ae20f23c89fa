"""The settings that reproduce a run: command, seed, versions and config."""

from markupsafe import Markup

from gentle_clip_jax.pages import render
from gentle_clip_jax.runs.differences import ABSENT, differences, flat
from gentle_clip_jax.runs.read import Run


def settings_section(runs: dict[str, Run]) -> Markup:
    """Return the command and config of the run, and its differences from the compared runs."""
    run = next(iter(runs.values()))
    info = dict(run.info)
    versions, command = info.pop("versions", {}), info.pop("command", None)
    if "seconds" in info:
        info["seconds"] = _duration(info["seconds"])
    configs = [flat(run.config) for run in runs.values()]
    keys = {key: None for other in configs[1:] for key in differences(configs[0], other)}
    return render(
        "report/templates/settings.html",
        command=command,
        facts=[*(flat(info) | flat(versions)).items()],
        names=[*runs],
        apart=[[key, *(config.get(key, ABSENT) for config in configs)] for key in keys],
        config=[*configs[0].items()],
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
