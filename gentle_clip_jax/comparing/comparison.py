"""`Comparison`: the methods side by side, with what `align` concludes from the same folds."""

import dataclasses
import html
import pathlib
from typing import TYPE_CHECKING, Any

from gentle_clip_jax.aligners.expected import chosen_of
from gentle_clip_jax.aligners.sentences import of_chance, of_method, of_recall, of_unmatched
from gentle_clip_jax.comparing.page import HEAD, cells, comparison_page
from gentle_clip_jax.pages import write
from gentle_clip_jax.storage import owned
from gentle_clip_jax.storage.text import Sentence, aligned

if TYPE_CHECKING:
    import pandas

_RECALL = {"recall": "value", "low": "low", "high": "high"}
_DIFFERENCE = {"difference": "value", "difference_low": "low", "difference_high": "high"}
FILES, KIND = ("comparison.html", "comparison.json"), "comparison"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Methods by the recall of held-out pairs, the best first.

    metadata: what comparison.json holds. Under "align" there is what `align` concludes from the
      same folds: its method, its recall and whether unmatched items help.
    """

    metadata: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each method: recall (mean of R@1, 5 and 10) with its 95 % interval, and the
        difference from the best pairs-only method with its 99 % interval."""
        return [
            {
                **{name: row[name] for name in ("method", "unmatched")},
                **{name: row["recall"][key] for name, key in _RECALL.items()},
                **{f"recall_at_{top}": value for top, value in row["recall"]["at"].items()},
                **{name: (row["difference"] or {}).get(key) for name, key in _DIFFERENCE.items()},
            }
            for row in self.metadata["methods"]
        ]

    @property
    def verdict(self) -> str | None:
        """Verdict of `align` on unmatched items: "helped", "hurt", "alike" or "too early".

        None without unmatched items.
        """
        unmatched = self.metadata["align"]["expected"]["unmatched"]
        return unmatched and unmatched["verdict"]

    @property
    def summary(self) -> list[str]:
        """Sentences: the method to use, the verdict of `align`, and how to read the table."""
        align = self.metadata["align"]
        expected = align["expected"]
        fitted, this = of_method(align), "This is the verdict of align on these pairs."
        said = [
            f"Use {align['method']}. {of_recall(expected)}",
            of_unmatched(expected["unmatched"])
            if expected["unmatched"]
            else "One modality has no unmatched items, so that only pairs-only methods compete.",
            Sentence(f"{this} {fitted.plain}", f"{this} {fitted}"),
        ]
        if warning := of_chance(align):
            said.insert(0, warning)
        return [*said, *self._ties()]

    def _ties(self) -> list[str]:
        """Return the sentences on other methods: which are better, no different, or worse."""
        chosen = chosen_of(self.metadata["align"])
        by: dict[str, list[str]] = {"helped": [], "alike": [], "hurt": []}
        for row in self.metadata["methods"]:
            if found := row["from_chosen"]:
                by[found if found in by else "alike"].append(row["method"])
        words = {
            "helped": f"Higher recall than {chosen}: {{}}; align --method=NAME fits one of them.",
            "alike": f"No real difference in recall from {chosen}, whatever the order in the "
            "table: {}.",
            "hurt": f"Lower recall than {chosen}: {{}}.",
        }
        return [words[kind].format(", ".join(names)) for kind, names in by.items() if names]

    @property
    def lines(self) -> list[str]:
        """The table, for a terminal."""
        x, y = self.metadata["modalities"]
        counts = self.metadata["counts"]
        table = aligned([HEAD, *map(cells, self.metadata["methods"])])
        title = (
            f"{counts['pairs']:,} pairs, {counts['unmatched_x']:,} unmatched items of {x} and "
            f"{counts['unmatched_y']:,} of {y}"
        )
        return [title, *table]

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with a line for each method."""
        import pandas

        return pandas.DataFrame(self.rows)

    def save(self, folder: str | pathlib.Path) -> None:
        """Write comparison.html and comparison.json.

        Raises:
          ValueError: the folder holds something else, or the page cannot be written.
          OSError: the folder cannot be written.
        """
        folder = pathlib.Path(folder)
        with owned.writing(folder, FILES[1], KIND, remove=FILES[1:]) as finish:
            write(folder / FILES[0], comparison_page(self.metadata, self.summary))
            finish(self.metadata)

    def __repr__(self) -> str:
        return (
            f"Comparison({len(self.metadata['methods'])} methods; {' '.join(self.summary)[:1000]})"
        )

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        rows = [HEAD, *map(cells, self.metadata["methods"])]
        lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
        table = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<p>{html.escape(' '.join(self.summary))}</p><table>{table}</table>"
