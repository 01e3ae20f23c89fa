"""Encoders of sentence-transformers, timm, open_clip and transformers, by their own libraries.

Weights are read from .safetensors files alone, and code that comes with a model is never run.
"""

import contextlib
import importlib.util
import logging
import pathlib
import warnings
from collections.abc import Iterator, Sequence

from gentle_clip_jax.encoders.adapters import libraries
from gentle_clip_jax.encoders.published.checkpoints import fetch
from gentle_clip_jax.storage.reading import parse_json

# The module of each library, and the packages that an encoder of it needs.
_LIBRARIES = {
    "sentence-transformers": ("sentence_transformers", ("sentence-transformers", "torch")),
    "timm": ("timm", ("timm", "torch")),
    "open_clip": ("open_clip", ("open_clip_torch", "torch")),
    "transformers": ("transformers", ("transformers", "torch")),
}
# The only file that timm and open_clip read of a folder that has it.
_WEIGHTS = {"timm": "model.safetensors", "open_clip": "open_clip_model.safetensors"}
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def is_adapted(source: str) -> bool:
    """Return whether a name is LIBRARY:NAME of one of the libraries."""
    return source.partition(":")[0] in _LIBRARIES


def packages(source: str) -> tuple[str, ...]:
    """Return the packages that features by an encoder depend on."""
    return _LIBRARIES[source.partition(":")[0]][1]


def roles(source: str) -> tuple[str, ...]:
    """Return the roles that an encoder has, without reading weights.

    Raises:
      ValueError: the library is not installed, or there is no such encoder; says what to do.
    """
    library, folder = _found(source)
    if library == "timm":
        return ("image",)
    if library == "transformers":
        with _quiet(source):
            return libraries.transformers_roles(folder)
    if library == "sentence-transformers":
        names = (folder / "preprocessor_config.json", folder / "processor_config.json")
        inner = [path for name in names for path in folder.glob(f"*/{name.name}")]
        return libraries.BOTH if any(path.is_file() for path in (*names, *inner)) else ("text",)
    return libraries.BOTH


def load(source: str, role: str) -> libraries.Adapter:
    """Return the encoder LIBRARY:NAME, or LIBRARY:FOLDER, in one of its roles.

    Raises:
      ValueError: the library is not installed, there is no such encoder, or it cannot be read
        from .safetensors files without running code of its own.
    """
    library, folder = _found(source, ["*.safetensors"])
    _check_files(source, library, folder)
    read = {
        "sentence-transformers": libraries.read_sentence_transformers,
        "timm": libraries.read_timm,
        "open_clip": libraries.read_open_clip,
        "transformers": libraries.read_transformers,
    }[library]
    with _quiet(source):
        adapter = read(folder, role)
        adapter.model.float().eval()
        return adapter


def _found(source: str, more: Sequence[str] = ()) -> tuple[str, pathlib.Path]:
    """Return the library and the folder of an encoder, whose files are fetched if need be."""
    library, _, name = source.partition(":")
    module, needed = _LIBRARIES[library]
    if not all(importlib.util.find_spec(one) for one in (module, "torch")):
        raise ValueError(
            f"--encoder={source} needs {library}, which is not installed: run pip install "
            f"{' '.join(needed)}."
        )
    if pathlib.Path(name).is_dir():
        return library, pathlib.Path(name)
    if library == "open_clip":
        name = _open_clip_repo(source, name)
    if library == "timm" and "/" not in name:
        name = f"timm/{name}"
    return library, fetch(name, [*libraries.SETTINGS, *more])


def _open_clip_repo(source: str, name: str) -> str:
    import open_clip

    arch, _, tag = name.partition("/")
    repo = open_clip.get_pretrained_cfg(arch, tag).get("hf_hub", "")
    if not repo:
        raise ValueError(
            f"open_clip offers no .safetensors weights for {source}: give ARCH/TAG of its list of "
            "pretrained models, such as open_clip:ViT-B-32/openai, or a folder."
        )
    return "/".join(repo.split("/")[:2])


def _check_files(source: str, library: str, folder: pathlib.Path) -> None:
    if library in _WEIGHTS and not (folder / _WEIGHTS[library]).is_file():
        raise ValueError(f"{folder} has no {_WEIGHTS[library]}, which {source} would be read from.")
    safe = {path.parent for path in folder.rglob("*.safetensors")}
    pickles = [path for pattern in _PICKLES for path in folder.rglob(pattern)]
    if bad := next((path for path in pickles if path.parent not in safe), None):
        raise ValueError(
            f"{bad} can run code when it is read, and is not: give a checkpoint with .safetensors "
            "files."
        )
    if not safe:
        raise ValueError(f"{folder} has no .safetensors files: give the folder of a checkpoint.")
    for path in (folder / "modules.json",) if library == "sentence-transformers" else ():
        modules = parse_json(path) if path.exists() else []
        for module in modules:
            if not str(module.get("type")).startswith("sentence_transformers."):
                raise ValueError(
                    f"{path} asks for code of its own ({module.get('type')}), which is not run: "
                    "choose another model."
                )


@contextlib.contextmanager
def _quiet(source: str) -> Iterator[None]:
    """Silence logs and warnings of a library, and turn its errors into one sentence."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.ExitStack() as stack:
            warnings.simplefilter("ignore")
            if importlib.util.find_spec("transformers"):
                stack.enter_context(_without_bars())
            yield
    except Exception as error:  # of the libraries: any kind
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"--encoder={source} cannot be read: {reason}") from error
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    from transformers.utils import logging as bars

    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
