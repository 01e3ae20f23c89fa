"""`export_aligner`: a folder that other programs can use without this package."""

import pathlib
from collections.abc import Mapping

from gentle_clip_jax.aligners import load
from gentle_clip_jax.exporting.arrays import numpy
from gentle_clip_jax.exporting.programs import onnx, stablehlo
from gentle_clip_jax.files import write_arrays, write_record, write_text, writing

FORMATS = {"stablehlo": stablehlo, "numpy": numpy, "onnx": onnx}
_RECORD = "export.json"
_ABOUT = ("method", "modalities", "encoders", "fitted_on", "expected", "versions")


def export_aligner(
    aligner: str | pathlib.Path, out: str | pathlib.Path, *, format: str
) -> list[pathlib.Path]:
    """Writes what embeds raw features of both sides, for programs without this package.

    Args:
      aligner: a folder that `Aligner.save` has written.
      out: a new folder; it gets a README.md, and export.json says what all of it is of.
      format: "stablehlo": programs that jax alone runs; "numpy": an .npz of matrices and the
        Python that applies them; "onnx".

    Returns:
      The files that were written.

    Raises:
      ValueError: the format cannot hold what the aligner does, or the folder holds something else.
      OSError: the folder cannot be written.
    """
    folder, fitted = pathlib.Path(out), load(aligner)
    if folder.exists() and (not folder.is_dir() or _is_others(folder)):
        raise ValueError(f"{folder} holds something else: use another --out.")
    contents = FORMATS[format](fitted)
    folder.mkdir(parents=True, exist_ok=True)
    about = {name: fitted.about[name] for name in _ABOUT if name in fitted.about}
    write_record(folder / _RECORD, {"format": format, "about": about})
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


def _is_others(folder: pathlib.Path) -> bool:
    return any(folder.iterdir()) and not (folder / _RECORD).exists()
