"""What a run was made of, and in what two runs differ."""

import json
import pathlib
from typing import Any

from gentle_clip_jax.runs.folder import RunFolder, read_config

# Differs from run to run by nature.
_OWN = ("started", "seconds")


def facts(workdir: str | pathlib.Path) -> dict[str, Any]:
    """Config, versions, commit, devices, seed, data fingerprints and command of a run, by name.

    Raises:
      ValueError: the folder holds no run, or its run.json cannot be read.
    """
    workdir = pathlib.Path(workdir)
    path = RunFolder(workdir).info
    config = read_config(workdir).to_dict()
    try:
        info = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}): train on to have it anew.") from error
    return {**info, **_flat(config, "config")} | _flat(info.get("versions", {}), "versions")


def differences(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """From the names of what differs between two runs to both values; "-" where there is none."""
    names = [name for name in {**a, **b} if name not in (*_OWN, "versions")]
    values = {name: (a.get(name, "-"), b.get(name, "-")) for name in names}
    return {name: (one, other) for name, (one, other) in values.items() if one != other}


def show(runs: list[str]) -> None:
    """Prints what a run was made of, or in what two runs differ.

    Raises:
      ValueError: there are more than two, or one is none.
    """
    from rich.console import Console
    from rich.table import Table

    if len(runs) > 2:
        raise ValueError(f"Give one run, or two to compare, not {len(runs)}.")
    found = [facts(run) for run in runs]
    if len(found) == 2:
        rows = differences(*found)
        if not rows:
            print("The two runs differ in nothing that was recorded.")
            return
    else:
        rows = {name: (value,) for name, value in found[0].items() if name != "versions"}
    table = Table("", *runs)
    for name, values in rows.items():
        table.add_row(name, *(v if isinstance(v, str) else json.dumps(v) for v in values))
    Console(soft_wrap=True).print(table)


def _flat(nested: dict[str, Any], name: str) -> dict[str, Any]:
    flat = {}
    for key, value in nested.items():
        path = f"{name}.{key}"
        flat |= _flat(value, path) if isinstance(value, dict) else {path: value}
    return flat
