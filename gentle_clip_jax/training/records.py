"""Records of checkpoints: the manifest of their arrays and their validation score."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import orbax.checkpoint as ocp

from gentle_clip_jax.storage.records import checked, read_record
from gentle_clip_jax.training.manifest import Manifest, digest_of, manifest
from gentle_clip_jax.training.orbax_errors import first_line

STATE, RECORD = "state", "manifest"  # the parts of a step
_KEYS = {"arrays", "sha256", "score"}


class Record(NamedTuple):
    """The manifest of a step's arrays, and the step's score if it was validated."""

    arrays: Manifest
    score: float | None


class Records:
    """The records of the steps in a folder, and a preservation policy of Orbax: keep the best step.

    Scores are stored here because Orbax opens no folder in which one of its own score files is
    damaged.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self.sound: dict[int, Record] = {}
        self.flaws: dict[int, str] = {}  # reason why a step has no usable record
        for path in sorted(folder.glob("*")):
            # On a store a step has its name before it is complete; Orbax removes incomplete ones.
            is_step = path.name.isdecimal() and path.is_dir()
            if is_step and ocp.path.step.is_checkpoint_finalized(path):
                self._read(int(path.name))

    def new(self, step: int, state: Any, score: float | None) -> dict[str, Any]:
        """Return the record of a state to be saved, as JSON values."""
        arrays = manifest(state)
        self.sound[step] = Record(arrays, score)
        return checked({"arrays": arrays, "sha256": digest_of(arrays), "score": score})

    def forget(self, step: int) -> None:
        """Forget a step that was moved away."""
        self.sound.pop(step, None)
        self.flaws.pop(step, None)

    def best_of(self, steps: Sequence[int]) -> int | None:
        """Return the step with the highest score, the last in a tie; None if none has a score."""
        scores = {step: self.sound[step].score for step in steps if step in self.sound}
        scored = [(score, step) for step, score in scores.items() if score is not None]
        return max(scored)[1] if scored else None

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Return for each step whether Orbax should preserve it."""
        best = self.best_of([one.step for one in checkpoints])
        return [one.step == best for one in checkpoints]

    def _read(self, step: int) -> None:
        try:
            record = read_record(self._folder / str(step) / RECORD / "metadata")
        except (OSError, ValueError) as error:
            self.flaws[step] = f"its manifest cannot be read ({error})"
            return
        if record.keys() != _KEYS:
            self.flaws[step] = "its manifest has other keys than expected"
            return
        try:
            # Orbax reads this of every step when it opens a folder.
            _ = ocp.path.step.standard_name_format().find_step(self._folder, step).commit_timestamp
        except Exception as error:
            self.flaws[step] = f"Orbax's record of it cannot be read ({first_line(error)})"
            return
        self.sound[step] = Record(record["arrays"], record["score"])
