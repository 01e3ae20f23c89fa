"""Messages of errors: one sentence that says what is wrong, where, and what to do."""

import argparse
import errno
import os
import pathlib
import sys
import traceback

from gentle_clip_jax.storage.missing import MissingPath

USAGE, BUG = 2, 1  # exit codes: bad input or usage, and a bug of this program

# What to install for a package that only some commands need.
_EXTRAS = {
    **dict.fromkeys(("grain", "PIL", "qtawesome", "tokenizers"), "quickstart"),
    **dict.fromkeys(("huggingface_hub", "pyarrow", "safetensors"), "weights"),
    "biotite": "protein",
    **dict.fromkeys(("anndata", "h5py"), "tables"),
    "flatbuffers": "export",
    **dict.fromkeys(("starlette", "uvicorn", "jinja2", "markupsafe"), "review"),
    "ott": "transport",
    "gcsfs": "gcs",
    "lance": "lance",
    **dict.fromkeys(("tensorflow_datasets", "array_record"), "data"),
}
_REMEDIES = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT), "free some space there, then run the same command again"
    ),
    errno.EFBIG: "allow larger files there, or give another path",
    errno.ENOENT: "give a path that is there",
    errno.EEXIST: "move what is there, or give another path",
    errno.ENOTDIR: "give a path whose folders are folders",
    errno.EISDIR: "give a file, not a folder",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change who may use it, or give another path"),
    errno.EROFS: "give a path that can be written to",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.ELOOP: "fix its links, or give another path",
    errno.EMFILE: "allow more open files (ulimit -n), then run the same command again",
}
_OPTIONS = {"gallery": "in"}  # whose name is another than that of the argument
_TARGETS = ("out", "workdir")  # options that name what is written to


def format_error(error: Exception, args: argparse.Namespace) -> tuple[str, int]:
    """Return the sentence for an error and the exit code; "" if nobody reads the output."""
    if isinstance(error, BrokenPipeError) and error.filename is None:
        return "", USAGE
    if isinstance(error, ModuleNotFoundError):
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra:
            return f'{error}: run pip install "gentle-clip-jax[{extra}]".', USAGE
    if isinstance(error, OSError) and error.errno:
        return _format_system_error(error, args), USAGE
    if isinstance(error, (ValueError, FloatingPointError, OSError)) and str(error).strip():
        return _one_line(f"{_option_of(error, args)}{error}"), USAGE
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)[:1000]:
        return (
            "There is not enough memory for this: give fewer or smaller items, or a machine with "
            "more memory.",
            USAGE,
        )
    return _format_bug(error), BUG


def is_full(error: Exception) -> bool:
    """Return whether the disk or the user's share of it is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def _option_of(error: Exception, args: argparse.Namespace) -> str:
    """Return the option that gave a missing path and a colon, or nothing."""
    if not isinstance(error, MissingPath):
        return ""
    named = (
        name
        for name, value in vars(args).items()
        if isinstance(value, str) and os.path.normpath(value) == os.path.normpath(error.path)
    )
    return next((f"--{_OPTIONS.get(name, name)}: " for name in named), "")


def _format_system_error(error: OSError, args: argparse.Namespace) -> str:
    reason = error.strerror or os.strerror(error.errno or 0)
    remedy = _REMEDIES.get(error.errno or 0, "fix this and run the same command again")
    where = next((os.fsdecode(n) for n in (error.filename2, error.filename) if _is_path(n)), None)
    if where is None:
        known = ((name, getattr(args, name, None)) for name in _TARGETS)
        where = next((f"--{name}={path}" for name, path in known if path), "A file")
    return f"{_one_line(where)} cannot be used ({reason}): {remedy}."


def _is_path(name: object) -> bool:
    return isinstance(name, (str, bytes, os.PathLike))


def _format_bug(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f", {pathlib.Path(place[0].filename).name} line {place[0].lineno}" if place else ""
    return (
        f"This is a bug of gentle-clip ({type(error).__name__}: {_one_line(str(error))[:300]}"
        f"{where}): run gentle-clip --traceback with the same arguments, and report what it prints."
    )


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def close_output() -> None:
    """Keep Python from writing, when it ends, to a pipe that nobody reads any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
