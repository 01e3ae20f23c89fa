"""Exported folders, which other programs use without this package."""

import pathlib
from collections.abc import Mapping
from typing import Any

from gentle_clip_jax.aligners import load
from gentle_clip_jax.exporting.arrays import numpy
from gentle_clip_jax.exporting.functions import of_aligner, of_run
from gentle_clip_jax.exporting.programs import onnx, stablehlo
from gentle_clip_jax.files import write_arrays, write_record, write_text, writing

_PROGRAMS = {"stablehlo": stablehlo, "onnx": onnx}
_RECORD = "export.json"
_ABOUT = ("method", "modalities", "encoders", "fitted_on", "expected", "versions")


def export_aligner(
    aligner: str | pathlib.Path, out: str | pathlib.Path, *, format: str
) -> list[pathlib.Path]:
    """Export the functions that embed raw features, for programs without this package.

    Args:
      aligner: a folder that `Aligner.save` has written.
      out: a new folder; it gets a README.md, and export.json with its source.
      format: "stablehlo": programs for jax; "numpy": an .npz of matrices and the
        Python that applies them; "onnx".

    Returns:
      The files that were written.

    Raises:
      ValueError: the format cannot represent the aligner, or the folder has other content.
      OSError: the folder cannot be written.
    """
    folder, fitted = _free(out), load(aligner)
    contents = numpy(fitted) if format == "numpy" else _PROGRAMS[format](of_aligner(fitted))
    metadata = {name: fitted.about[name] for name in _ABOUT if name in fitted.about}
    return _write(folder, contents, {"format": format, "about": metadata})


def export_run(
    workdir: str | pathlib.Path, out: str | pathlib.Path, *, format: str
) -> list[pathlib.Path]:
    """Export both towers of a trained run, with the parameters of its best step.

    Args:
      workdir: the run's folder.
      out: a new folder; it gets a README.md, and export.json with its source.
      format: "stablehlo" or "onnx".

    Returns:
      The files that were written.

    Raises:
      ValueError: the folder holds no run with a checkpoint, the format cannot represent its
        towers, or the other folder has other content.
      OSError: the folder cannot be written.
    """
    from gentle_clip_jax.training.restored import restore

    if format not in _PROGRAMS:
        raise ValueError("The towers of a run are more than matrices: use --format=stablehlo.")
    folder, run = _free(out), restore(workdir)
    contents = _PROGRAMS[format](of_run(run))
    metadata = {"task": run.config.task, "modalities": run.task.MODALITIES, "step": run.step}
    return _write(folder, contents, {"format": format, "about": metadata})


def _free(out: str | pathlib.Path) -> pathlib.Path:
    """Return the folder if it is new, empty, or of an earlier export."""
    folder = pathlib.Path(out)
    if folder.exists() and (not folder.is_dir() or _is_others(folder)):
        raise ValueError(f"{folder} holds something else: use another --out.")
    return folder


def _is_others(folder: pathlib.Path) -> bool:
    return any(folder.iterdir()) and not (folder / _RECORD).exists()


def _write(
    folder: pathlib.Path, contents: Mapping[str, Any], record: dict[str, Any]
) -> list[pathlib.Path]:
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / _RECORD, record)
    for name, content in contents.items():
        path = folder / name
        if isinstance(content, str):
            write_text(path, content)
        elif isinstance(content, Mapping):
            write_arrays(path, content)
        else:
            with writing(path, "wb") as file:
                file.write(content)
    return [folder / name for name in (*contents, _RECORD)]
