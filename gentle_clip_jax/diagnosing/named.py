"""A diagnosis in its reader's words: the names of the modalities instead of x and y."""

from collections.abc import Callable, Mapping
from typing import Any

from gentle_clip_jax.pages.names import named

_Say = Callable[[str], str]


def named_diagnosis(diagnosis: Mapping[str, Any]) -> dict[str, Any]:
    """Return the diagnosis with the modalities' names instead of x and y; ids are unchanged."""
    x, y = diagnosis.get("modalities", ("x", "y"))

    def say(text: str) -> str:
        return named(text, x, y)

    verdict = {**diagnosis["verdict"], "because": say(diagnosis["verdict"]["because"])}
    findings = [_finding(finding, say) for finding in diagnosis["findings"]]
    return {**diagnosis, "modalities": [x, y], "verdict": verdict, "findings": findings}


def _finding(finding: Mapping[str, Any], say: _Say) -> dict[str, Any]:
    words = {key: say(finding[key]) for key in ("title", "sentence", "value", "chance")}
    return {**finding, **words, "pictures": [_picture(one, say) for one in finding["pictures"]]}


def _picture(picture: Mapping[str, Any], say: _Say) -> dict[str, Any]:
    words: dict[str, Any] = {key: say(picture[key]) for key in ("title", "label") if key in picture}
    if picture["kind"] == "bars":
        for key in ("values", "chance"):
            words[key] = {say(name): value for name, value in picture[key].items()}
    if picture["kind"] == "scatter":
        words["names"] = {name: say(name) for name in ("x", "y")}
    return {**picture, **words}
