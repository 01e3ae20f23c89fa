"""Writing of exported folders, which other programs use without this package."""

import pathlib
from collections.abc import Mapping
from typing import Any

from gentle_clip_jax.aligners import Aligner, load
from gentle_clip_jax.exporting.arrays import numpy
from gentle_clip_jax.exporting.functions import of_aligner, of_run
from gentle_clip_jax.exporting.programs import stablehlo
from gentle_clip_jax.storage import owned
from gentle_clip_jax.storage.progress import working
from gentle_clip_jax.storage.writing import write_arrays, write_text, writing

_FORMATS = ("stablehlo", "numpy")
_RECORD, KIND = "export.json", "export"
_METADATA = ("method", "modalities", "encoders", "fitted_on", "expected", "versions")


@working("compiling")
def export(
    aligner: Aligner | str | pathlib.Path | Any,
    out: str | pathlib.Path,
    *,
    format: str = "stablehlo",
) -> list[pathlib.Path]:
    """Write the embedding functions of both modalities, for programs without this package.

    Args:
      aligner: a result of `align` or `restore`, or the folder of a saved aligner.
      out: a new folder; it gets a README.md, and export.json with the metadata of the aligner.
      format: "stablehlo": programs that need only jax; "numpy": an .npz of matrices and a Python
        file that applies them.

    Returns:
      The files that were written.

    Raises:
      ValueError: there is no such format, or it cannot represent the aligner; or the folder has
        other content.
      OSError: the folder cannot be written.
    """
    if format not in _FORMATS:
        raise ValueError(f"--format={format} must be one of {', '.join(_FORMATS)}.")
    folder = pathlib.Path(out)
    owned.check_owned(folder, _RECORD, KIND)  # before minutes of compiling
    fitted = load(aligner) if isinstance(aligner, str | pathlib.Path) else aligner
    if isinstance(fitted, Aligner):
        contents = numpy(fitted) if format == "numpy" else stablehlo(of_aligner(fitted))
        metadata = {name: fitted.metadata[name] for name in _METADATA if name in fitted.metadata}
    else:
        if format == "numpy":
            raise ValueError("The towers of a run are more than matrices: use --format=stablehlo.")
        contents = stablehlo(of_run(fitted))
        task = fitted.task
        metadata = {"task": fitted.config.task, "modalities": task.MODALITIES, "step": fitted.step}
    return _write(folder, contents, {"written_as": format, "metadata": metadata})


def _write(
    folder: pathlib.Path, contents: Mapping[str, Any], record: dict[str, Any]
) -> list[pathlib.Path]:
    with owned.writing(folder, _RECORD, KIND) as finish:
        for name, content in contents.items():
            path = folder / name
            if isinstance(content, str):
                write_text(path, content)
            elif isinstance(content, Mapping):
                write_arrays(path, content)
            else:
                with writing(path, "wb") as file:
                    file.write(content)
        finish(record)
    return [folder / name for name in (*contents, _RECORD)]
