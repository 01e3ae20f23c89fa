"""Protocol of the benchmark: fields, splits, draws of pairs, and metrics."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

PAIRS = (12, 30, 100, 300, 1000)
REPORTING, CHOOSING = range(5), range(10, 20)  # seeds
COSTLY_PAIRS, COSTLY_SEEDS = (12, 100, 1000), 3  # of methods that take minutes
TEST, CHOICE, TRAIN = (0.25, 1000), (0.15, 500), 3000  # shares of the items, and most items
NEIGHBOURS = 5  # of the label accuracy
SOUGHT = 400  # unmatched items whose partners are sought, at most
_TIE = 1e-6  # closer cosines tie, and a tie counts against the query

Embed = Callable[[np.ndarray], Any]  # raw features [n, d] -> rows [n, k]


@dataclasses.dataclass(frozen=True)
class Field:
    """Paired items of two modalities; row i of x and of y belong to one item.

    x, y: [n, dx] and [n, dy] features in their own units, the mean over an item's rows.
    ids: [n] str.
    description, licence: of the data; encoders: of x and of y.
    labels: [n] str, "" where an item has none.
    groups: [n] str; the items of a group stay on the same side of the split.
    shared: both modalities in one space that needs no pair, a rival; not given to the methods.
    """

    x: np.ndarray
    y: np.ndarray
    ids: np.ndarray
    description: str
    encoders: tuple[str, str]
    licence: str
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    shared: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        for name in ("y", "ids", "labels", "groups"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"{name} has {len(values)} rows and x {len(self.x)}: give equal.")
        if len({*map(str, self.ids)}) != len(self.ids):
            raise ValueError("ids repeat: give each item its own id.")


class Parts(NamedTuple):
    """Numbers of the items to draw pairs from, to choose settings by, and to test on."""

    train: np.ndarray
    choice: np.ndarray
    test: np.ndarray


class Draw(NamedTuple):
    """What a method is given: pairs [n, dx], [n, dy], and unmatched items, shuffled apart."""

    x: np.ndarray
    y: np.ndarray
    unmatched_x: np.ndarray
    unmatched_y: np.ndarray


def is_for_costly(pairs: int, seed: int) -> bool:
    """Return whether a cell is measured for methods that say that they are `COSTLY`."""
    seeds = CHOOSING if seed in CHOOSING else REPORTING
    return pairs in COSTLY_PAIRS and seed - seeds[0] < COSTLY_SEEDS


def split(field: Field) -> Parts:
    """Return the fixed parts: groups (or items) in the order of their SHA-256.

    A group is put into the test part if it fits, else into the part for choosing if it fits.
    """
    groups = field.ids if field.groups is None else field.groups
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(str(group), []).append(number)
    room = [min(int(share * len(field.x)), most) for share, most in (TEST, CHOICE)]
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for group in sorted(members, key=lambda name: hashlib.sha256(name.encode()).digest()):
        size = len(members[group])
        part = next((n for n in (0, 1) if len(parts[n]) + size <= room[n]), 2)
        parts[part].extend(members[group])
    test, choice, train = map(np.array, parts)
    return Parts(train[:TRAIN], choice, test)


def draw(field: Field, train: np.ndarray, pairs: int, seed: int) -> Draw:
    """Return random pairs, more of which include fewer, and all other items without partners."""
    rng, matched, rest = _drawn(train, pairs, seed)
    return Draw(
        field.x[matched],
        field.y[matched],
        field.x[rng.permutation(rest)],
        field.y[rng.permutation(rest)],
    )


def unmatched_recall(
    field: Field, train: np.ndarray, pairs: int, seed: int, embeds: tuple[Embed, Embed], among: int
) -> float:
    """Return the recall, in per cent, of a draw's unmatched items among `among` of them.

    It is what a person gets who matches the items that were given. Mean of R@1, 5 and 10, both
    ways, over at most 400 items.
    """
    _, _, rest = _drawn(train, pairs, seed)
    some = np.random.default_rng(0).permutation(rest)[:among]
    x, y = (
        _unit(np.asarray(embed(rows[some]), np.float64))
        for embed, rows in zip(embeds, (field.x, field.y))
    )
    ways = [_one_way(queries[:SOUGHT] @ gallery.T, None) for queries, gallery in ((x, y), (y, x))]
    return float(np.mean([one[f"r{k}"] for one in ways for k in (1, 5, 10)]))


def _drawn(
    train: np.ndarray, pairs: int, seed: int
) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Return the generator of a draw, and the numbers of its matched and of its other items."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(train)
    return rng, order[:pairs], order[pairs:]


def metrics(x: np.ndarray, y: np.ndarray, labels: np.ndarray | None = None) -> dict[str, float]:
    """Return the metrics of embedded items, in per cent; both directions count equally.

    recall: mean of R@1, R@5, R@10. order: one minus FOSCTTM, the share of the other items that are
    not nearer than the partner. label_1, label_5: accuracy of the label of the nearest item of the
    other modality, and of the most frequent label of its nearest five (of equally frequent ones,
    that of the nearest item). A tie counts against the query, also a row of zeros.

    >>> metrics(np.eye(2), np.eye(2))["recall"]
    100.0
    """
    x, y = (_unit(np.asarray(rows, np.float64)) for rows in (x, y))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("the embeddings are not finite")
    cosines = x @ y.T
    figures = [_one_way(cosines, labels), _one_way(cosines.T, labels)]
    means = {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
    return {"recall": float(np.mean([means[f"r{k}"] for k in (1, 5, 10)])), **means}


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _one_way(cosines: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
    nearer = np.sum(cosines >= np.diag(cosines)[:, None] - _TIE, axis=1) - 1  # not the partner
    figures = {f"r{k}": 100 * float(np.mean(nearer < k)) for k in (1, 5, 10)}
    figures["order"] = 100 * float(1 - np.mean(nearer / max(cosines.shape[1] - 1, 1)))
    if labels is not None:
        labelled = np.flatnonzero(labels != "")
        among = cosines[np.ix_(labelled, labelled)]
        nearest = np.argsort(-among, axis=1, kind="stable")[:, :NEIGHBOURS]
        votes = labels[labelled][nearest]
        counts = np.sum(votes[:, :, None] == votes[:, None, :], axis=2)
        most = votes[np.arange(len(votes)), np.argmax(counts, axis=1)]
        figures["label_1"] = 100 * float(np.mean(votes[:, 0] == labels[labelled]))
        figures["label_5"] = 100 * float(np.mean(most == labels[labelled]))
    return figures
