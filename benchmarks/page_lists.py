"""Section on the lists of matches at a chosen error."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from published import groups, machine_of, read, table

_KEYS = ("set", "one_to_one", "share", "error")
_HEADS = (
    "set, way, share of x with a partner | chosen, % | lists given | wrong, % | may be, % "
    "| bound, % | bound holds | matches | longest possible | part of it"
)
_STANDARD_ERRORS = 1.64
_HELD = 0.91  # of the bounds
_MANY, _PART = 30, 1 / 3  # a list should be a third of a possible one of so many matches


class _Cell(NamedTuple):
    """The draws of a set with the same settings."""

    name: str
    error: float
    draws: int
    wrong: list[float]
    uppers: list[float]
    length: float
    oracle: float

    @property
    def most(self) -> float:
        """Greatest mean error of the lists that chance explains."""
        deviation = statistics.stdev(self.wrong) if len(self.wrong) > 1 else 0.0
        return self.error + _STANDARD_ERRORS * deviation / max(1, len(self.wrong)) ** 0.5

    @property
    def holding(self) -> int:
        return sum(wrong <= upper for wrong, upper in zip(self.wrong, self.uppers))

    @property
    def is_too_wrong(self) -> bool:
        return bool(self.wrong) and statistics.mean(self.wrong) > self.most

    @property
    def fails_in_draws(self) -> bool:
        """Whether the bound fails in too many draws; nothing is wrong in an empty list."""
        return len(self.wrong) - self.holding > (1 - _HELD) * self.draws

    @property
    def fails_in_lists(self) -> bool:
        return len(self.wrong) - self.holding > (1 - _HELD) * len(self.wrong)

    @property
    def is_short(self) -> bool:
        return self.oracle >= _MANY and self.length < _PART * self.oracle

    @property
    def row(self) -> list[str]:
        wrong, upper = (
            f"{100 * statistics.mean(of):.1f}" if of else "" for of in (self.wrong, self.uppers)
        )
        ratio = f"{self.length / self.oracle:.2f}" if self.oracle >= _MANY else ""
        return [
            self.name,
            f"{100 * self.error:g}",
            f"{len(self.wrong)} of {self.draws}",
            wrong,
            f"{100 * self.most:.1f}" if self.wrong else "",
            upper,
            f"{self.holding} of {len(self.wrong)}" if self.wrong else "",
            f"{self.length:.0f}",
            f"{self.oracle:.0f}",
            ratio,
        ]


def section() -> str:
    """Return the section, or nothing if it was not measured."""
    content = read("lists")
    if not content:
        return ""
    cells = [_cell(key, here) for key, here in groups(content["rows"], *_KEYS).items()]
    shown = [cell for cell in cells if cell.wrong or cell.oracle >= _MANY]
    given = [cell for cell in cells if cell.wrong]
    possible = [cell for cell in cells if cell.oracle >= _MANY]
    draws = " to ".join(str(number) for number in sorted({cell.draws for cell in cells}))
    return f"""
## Lists of matches at a chosen error

[How `match --fdr` chooses a list](../review_and_match.md#a-list-at-a-chosen-error) was settled on
synthetic models, and then measured here, once. It replaced a choice by conformal p-values and the
procedure of Benjamini and Hochberg, which was tried first: where its lists were rare, most of their
matches were wrong. {draws} draws of 200 pairs of each set: aerial images, photographs, proteins and
drawings. All other items are matched, by CCA.

*Wrong*: mean share of wrong matches of the lists that were given. *May be*: the chosen error and
1.64 standard errors of this mean. *Bound*: mean of the stated upper bounds. *Matches*: mean length,
empty lists included. *Longest possible*: mean length of the longest list of the same order whose
error is at most the chosen one, by the true partners. *Part of it*: the ratio of these two, where
the second is at least {_MANY}.

- **Is the error the chosen one?** Lists were given in {len(given)} settings. Their mean error is
  above what it may be in {_named(given, "is_too_wrong")}.
- **Does the bound hold?** It fails in more than {100 * (1 - _HELD):.0f} % of the draws in
  {_named(given, "fails_in_draws")}, and in more than {100 * (1 - _HELD):.0f} % of the lists that
  were given in {_named(given, "fails_in_lists")}. Of all lists that were given, it holds for
  {sum(cell.holding for cell in given):,} of {sum(len(cell.wrong) for cell in given):,}.
- **Is the list long?** In {len(possible)} settings the longest possible list has {_MANY} matches or
  more. The mean length is less than a third of it in {_named(possible, "is_short")}.

The other {len(cells) - len(shown)} of {len(cells)} settings never gave a list, and their longest
possible ones have fewer than {_MANY} matches.

{table(_HEADS, [cell.row for cell in shown])}
Measured by `{content["command"]}` at {content["commit"][:7]} on {machine_of(content)}; every draw:
[lists.json](lists.json).
"""


def _cell(key: tuple, rows: Sequence[dict]) -> _Cell:
    name, one_to_one, share, error = key
    given = [row for row in rows if row["length"]]
    return _Cell(
        f"{name}, {'one' if one_to_one else 'many'} to one, share {share:g}",
        error,
        len(rows),
        [row["wrong"] / row["length"] for row in given],
        [row["upper"] for row in given],
        statistics.mean(row["length"] for row in rows),
        statistics.mean(row["oracle"] for row in rows),
    )


def _named(cells: Sequence[_Cell], fault: str) -> str:
    """Return the number of settings with a fault, and their names."""
    names = [f"{cell.name} at {100 * cell.error:g} %" for cell in cells if getattr(cell, fault)]
    return f"{len(names)} of them ({'; '.join(names)})" if names else "none"
