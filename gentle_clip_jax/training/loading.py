"""Loading of the aligner in a folder: a fitted aligner or a trained run."""

import pathlib

from gentle_clip_jax.runs.folder import holds_run
from gentle_clip_jax.searching.opened import Opened, open_fitted, open_run


def open_aligner(folder: str | pathlib.Path) -> Opened:
    """Open the folder of an aligner that `gentle-clip align` or `Aligner.save` wrote, or of a run.

    Raises:
      ValueError: the folder holds no intact aligner and no run with a checkpoint.
    """
    if holds_run(folder) and not (pathlib.Path(folder) / "aligner.json").exists():
        from gentle_clip_jax.training.restored import restore  # slow to load

        return open_run(restore(folder))
    return open_fitted(folder)
