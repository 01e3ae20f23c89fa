"""Check of the installation: installed and missing packages, and the commands to install them.

Required packages may be missing too: each is imported only for its own check. Nothing is changed.
"""

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from packaging.requirements import Requirement

from gentle_clip_jax.parallel.cores import count_cores

_OURS = "gentle-clip-jax"


def examine() -> dict[str, Any]:
    """Examine the installation; return the result as JSON data.

    "packages": the version of each required package, None if missing. "broken": a sentence for each
    that is missing, too old, too new or does not work; empty for a sound installation. "devices":
    the devices of jax, with bytes of memory if reported. "cores"; "memory": bytes available to this
    process. "extras": missing packages of each, and the command that installs them. "encoders":
    None if the weights of a packaged encoder are installed, else instructions. "caches": folders of
    downloaded weights and of compiled programs, or None.
    """
    is_installed = _version(_OURS) is not None
    needs = {extra: [*_needs(extra)] for extra in ("", *_extras())} if is_installed else {"": []}
    required = needs.pop("")
    broken = [_unmet(need) for need in required if not _is_met(need)]
    if not is_installed:
        broken = [f"{_OURS} itself is not installed."]
    return {
        "version": _version(_OURS),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {need.name: _version(need.name) for need in required},
        "devices": _tried("jax", _devices, broken),
        "cores": count_cores(),
        "memory": _tried("memory", _memory, broken),
        "extras": {
            extra: {
                "missing": sorted({need.name for need in some if not _is_met(need)}),
                "install": f'pip install "gentle-clip-jax[{extra}]"',
            }
            for extra, some in needs.items()
        },
        "encoders": _tried("encoders", _encoders, broken),
        "caches": {"weights": _weights_cache(), "programs": _tried("jax", _programs_cache, [])},
        "broken": broken,
    }


def lines(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a readable report of `examine`."""
    yield f"gentle-clip {state['version']}, Python {state['python']}, {state['system']}"
    jax = state["packages"].get("jax")
    devices = [
        one["kind"] + (f" ({_gib(one['memory'])})" if one["memory"] else "")
        for one in state["devices"] or ()
    ]
    yield f"jax {jax} computes on {', '.join(devices) or 'nothing'}"
    memory = _gib(state["memory"]) if state["memory"] else "unknown"
    yield f"{state['cores']} cores, memory {memory}"
    for name, folder in state["caches"].items():
        yield f"cache of {name}: {folder or 'none'}"
    lacking = {extra: gap for extra, gap in state["extras"].items() if gap["missing"]}
    complete = [extra for extra in state["extras"] if extra not in lacking]
    yield f"extras that are complete: {', '.join(complete) or 'none'}"
    for extra, gap in lacking.items():
        yield f"extra {extra} lacks {', '.join(gap['missing'])}: run {gap['install']}"
    for encoder, remedy in (state["encoders"] or {}).items():
        yield f"encoder {encoder}: {remedy or 'its weights are here'}"
    yield from state["broken"]
    if state["broken"]:
        yield f"Something that is required is broken: run pip install {_OURS}."
    else:
        yield "All that is required works."


def _needs(extra: str) -> Iterator[Requirement]:
    """Yield the requirements of an extra on this machine; of the package itself for ""."""
    for need in map(Requirement, importlib.metadata.requires(_OURS) or ()):
        here = need.marker is None or need.marker.evaluate({"extra": extra})
        if not here or (extra and (need.marker is None or need.marker.evaluate({"extra": ""}))):
            continue
        if need.name == _OURS:
            for other in sorted(need.extras):
                yield from _needs(other)
        else:
            yield need


def _extras() -> list[str]:
    return importlib.metadata.metadata(_OURS).get_all("Provides-Extra") or []


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_met(need: Requirement) -> bool:
    version = _version(need.name)
    return version is not None and need.specifier.contains(version, prereleases=True)


def _unmet(need: Requirement) -> str:
    bare, version = f"{need.name}{need.specifier}", _version(need.name)
    return f"{bare} is required and {f'{version} is' if version else 'not'} installed."


def _tried(what: str, examined: Callable[[], Any], broken: list[str]) -> Any:
    try:
        return examined()
    except Exception as error:  # a broken installation raises errors of any kind
        broken.append(f"{what} does not work: {' '.join(str(error).split())[:300]}")
        return None


def _devices() -> list[dict[str, Any]]:
    os.environ.setdefault(
        "XLA_PYTHON_CLIENT_PREALLOCATE", "false"
    )  # leave memory to other programs
    import jax

    from gentle_clip_jax.parallel.memory import limit_bytes

    return [
        {"platform": one.platform, "kind": one.device_kind, "memory": limit_bytes(one)}
        for one in jax.local_devices()
    ]


def _memory() -> int:
    from gentle_clip_jax.storage import reading

    return reading.memory()


def _encoders() -> dict[str, str | None]:
    from gentle_clip_jax.encoders.published import packaged

    folders = {
        "efficientnet-lite0": packaged.efficientnet_folder,
        "minilm": packaged.minilm_folder,
    }
    return {name: _remedy(folder) for name, folder in folders.items()}


def _remedy(folder: Callable[[], Any]) -> str | None:
    try:
        folder()
    except ValueError as error:
        return str(error)
    return None


def _weights_cache() -> str | None:
    try:
        from huggingface_hub import constants
    except ImportError:
        return None
    return constants.HF_HUB_CACHE


def _programs_cache() -> str | None:
    import jax

    return jax.config.values.get("jax_compilation_cache_dir")


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
