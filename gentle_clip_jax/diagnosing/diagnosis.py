"""`Diagnosis`: the figures of two collections and their verdict."""

import dataclasses
import html
import pathlib
from typing import TYPE_CHECKING, Any

from gentle_clip_jax.diagnosing.page import diagnosis_page, headlines, lines_of, suspects
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.pages import write
from gentle_clip_jax.storage import owned
from gentle_clip_jax.storage.text import Sentence

if TYPE_CHECKING:
    import pandas

FILES, KIND = ("diagnosis.html", "diagnosis.json"), "diagnosis"
_COLUMNS = ("name", "level", "title", "value", "chance", "sentence")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """Figures of two collections that say whether unmatched items can help.

    metadata: what diagnosis.json holds: "verdict", "counts", "findings"; under "held_out" what
      `align` states of the pairs, or would.
    x, y: the collections, for pictures of suspicious pairs; None to show ids alone.
    """

    metadata: dict[str, Any]
    x: Collection | None = None
    y: Collection | None = None

    @property
    def verdict(self) -> str:
        """Verdict on unmatched items.

        That of `align`, "helped", "hurt" or "alike", if held-out pairs decide; else that of the
        other figures: "likely", "unlikely" or "unclear" to help.
        """
        return self.metadata["verdict"]["unmatched_data"]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """A dict for each figure: its value, that by chance, its level and a sentence."""
        return [{name: one[name] for name in _COLUMNS} for one in self.metadata["findings"]]

    @property
    def summary(self) -> list[Sentence]:
        """The verdict on unmatched items in sentences, and what to do."""
        return headlines(self.metadata)

    @property
    def lines(self) -> list[str]:
        """The figures, for a terminal."""
        return lines_of(self.metadata)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with a line for each figure."""
        import pandas

        return pandas.DataFrame(self.findings)

    def save(self, folder: str | pathlib.Path) -> None:
        """Write diagnosis.html, with the most suspicious pairs, and diagnosis.json.

        Raises:
          ValueError: the folder holds something else, or cannot be written.
        """
        folder = pathlib.Path(folder)
        strange = suspects(self.metadata)
        cards = {
            side: rows.previews([one[side] for one in strange]) if rows and strange else {}
            for side, rows in (("x", self.x), ("y", self.y))
        }
        with owned.writing(folder, FILES[1], KIND, remove=FILES[1:]) as finish:
            write(folder / FILES[0], diagnosis_page(self.metadata, cards))
            finish(self.metadata)

    def __repr__(self) -> str:
        return f"Diagnosis({len(self.findings)} figures; {' '.join(self.summary)[:1000]})"

    def _repr_html_(self) -> str:
        """Show the figures in a notebook."""
        lines = (f"<li>{html.escape(line)}</li>" for line in lines_of(self.metadata)[1:])
        return f"<p>{html.escape(' '.join(self.summary))}</p><ul>{''.join(lines)}</ul>"
