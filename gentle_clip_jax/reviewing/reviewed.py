"""`review`: pairs confirmed by a person, on a page in the browser, or by a function of screens."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.data.pairs import SHEET
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given, collection_of
from gentle_clip_jax.features.origins import ORIGIN, Origins, read_origins, review_folder
from gentle_clip_jax.features.pairs import read_pairs, warn_stale
from gentle_clip_jax.pages.items import pairs_html
from gentle_clip_jax.reviewing.log import Answer
from gentle_clip_jax.reviewing.opening import Review, open_review
from gentle_clip_jax.reviewing.played import Answers, play
from gentle_clip_jax.reviewing.progress import AT, Point, at_random
from gentle_clip_jax.reviewing.queue import Mode
from gentle_clip_jax.reviewing.tables import write_pairs
from gentle_clip_jax.searching.opened import Opened, opened_of
from gentle_clip_jax.searching.run_items import Run
from gentle_clip_jax.storage.tables import can_grow, read_table
from gentle_clip_jax.storage.text import Sentence, aligned
from gentle_clip_jax.storage.writing import write_json

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger(__name__)
_PREVIEWS = 4  # pairs
_OF_A_RUN = "The encoders of a trained run stay as they are: train it again with the new pairs."


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reviewed:
    """The pairs of a review, and what they bring.

    pairs: ids of all pairs; the first `known` of them were there before the review.
    answers: all answers, the first one first.
    curve: recall at 10 of held-out pairs by number of pairs; empty where fewer than ten were known,
      and of a trained run.
    summary: sentences: what is stored, a warning if partners rank as by chance, held-out figures.
    path: the file of pairs.
    """

    pairs: list[tuple[str, str]]
    known: int
    answers: list[Answer]
    curve: list[Point]
    path: pathlib.Path
    x: Collection
    y: Collection

    @property
    def summary(self) -> list[str]:
        """Sentences on stored answers, partners that rank as by chance, and held-out recall."""
        confirmed = len(self.pairs) - self.known
        found = [
            f"{len(self.answers):,} answers are stored, and {self.path} holds {len(self.pairs):,} "
            f"pairs, {confirmed:,} of them confirmed here."
        ]
        taken = {x for x, _ in self.pairs[: self.known]}
        if sample := at_random(self.answers, len(self.x.items) - len(taken)):
            share, low, high = sample["in_grid"]
            found += [sample["warning"]] if sample["warning"] else []
            of, end = f"Of {sample['screens']:,} random screens, {share} %", "showed the partner."
            found.append(Sentence(f"{of} {end}", f"{of} ({low} to {high} %) {end}"))
        if self.curve:
            first, last = self.curve[0], self.curve[-1]
            before = f"{100 * first.recall:.0f} % with {first.pairs:,} pairs, " * (first != last)
            found.append(
                f"Of held-out partners, {before}{100 * last.recall:.0f} % with {last.pairs:,} "
                f"pairs are among the first {AT}."
            )
        return found

    @property
    def metadata(self) -> dict[str, Any]:
        """Numbers of answers, of pairs and of those before the review, and the curve, for JSON."""
        curve = [point._asdict() for point in self.curve]
        counts = {"answers": len(self.answers), "pairs": len(self.pairs), "known": self.known}
        return {**counts, "curve": curve}

    @property
    def lines(self) -> list[str]:
        """The curve of recall, as a table for a terminal."""
        head = ("pairs", "held-out partners among the first ten, %", "from (95 %)", "to")
        rows = [(f"{p.pairs:,}", *(f"{100 * share:.0f}" for share in p[1:])) for p in self.curve]
        return aligned([head, *rows]) if rows else []

    def save(self, folder: str | pathlib.Path) -> None:
        """Write pairs.csv and review_curve.json into a folder.

        Raises:
          ValueError: there is a pairs.csv with other pairs, which stays as it is.
          OSError: the folder cannot be written.
        """
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "pairs.csv"
        if path.exists() and path.resolve() != self.path.resolve():
            rows = {tuple(cells[:2]) for _, cells in read_table(path).rows}
            if not rows <= {tuple(SHEET), *self.pairs}:
                raise ValueError(f"{path} holds other pairs: use another folder, or move it away.")
        write_pairs(path, self.pairs, self._origins)
        write_json(folder / "review_curve.json", [point._asdict() for point in self.curve])

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with x, y, confirmed (False for pairs known before) and origin."""
        import pandas

        x, y = zip(*self.pairs) if self.pairs else ((), ())
        confirmed = [number >= self.known for number in range(len(self.pairs))]
        words = [self._origins.words.get(pair, "") for pair in self.pairs]
        return pandas.DataFrame({"x": x, "y": y, "confirmed": confirmed, ORIGIN: words})

    @property
    def _origins(self) -> Origins:
        pairs = self.path if self.path.is_file() else None
        return read_origins(pairs, self.x.ids, self.y.ids)

    def __repr__(self) -> str:
        return f"Reviewed({' '.join(self.summary)[:1000]})"

    def _repr_html_(self) -> str:
        """Show the latest confirmed pairs in a notebook."""
        return pairs_html(repr(self), self.x, self.y, self.pairs[self.known :][-_PREVIEWS:])


def review(
    aligner: Opened | Aligner | Run | str | pathlib.Path | None,
    x: Given,
    y: Given,
    pairs: Any = None,
    *,
    answers: Answers | None = None,
    out: str | pathlib.Path | None = None,
    images: str | pathlib.Path | None = None,
    mode: Mode | None = None,
    seed: int = 0,
    port: int = 8000,
    tell: Callable[[str], object] = print,
) -> Reviewed:
    """Confirm pairs by hand on a page in the browser, until Ctrl-C; or by a function of screens.

    Every answer is saved; after every ten the pairs are fitted anew. The same call continues.

    Args:
      aligner: what `align` or `restore` returned, or a folder that an aligner was saved in. None to
        begin without one, and without pairs: the first three are found by words.
      x, y: collections, paths that `read` takes, or features; with a run, its raw items.
      pairs: known pairs: a CSV file, which grows and may be missing; or id pairs, a table, or
        numbers [k, 2] of items. If not given, those that the aligner was fitted to.
      answers: None to serve the page; or a function that takes a `Screen` and returns the id of
        any item without a partner, or None for none of these. StopIteration ends it.
      out: folder of pairs.csv, to which confirmed pairs are added, and of the files beside it; if
        not given, that of the file of pairs, NAME-review beside a table that no line can be added
        to (semicolons, .xlsx, not UTF-8), or else `review` in the current folder.
      images: a folder of pictures by the ids of items, for the page; by default those encoded.
      mode: "grid" to ask for the partner among the 48 nearest, "ten" for the closest of ten
        different items. If not given, "ten" for fewer than 20 pairs of more than 2,000 items, or
        else "grid".
      seed: of the random screens; one in five is random.
      port: of the page, which this machine alone can open; `tell` is called with its address.

    Returns:
      The pairs: `pairs`, `curve`, `summary`, `to_pandas()`, and `save(folder)`.

    Raises:
      ValueError: a file is not as it should be, the files belong to another review, or an answer is
        no item of x without a partner.
    """
    space = None if aligner is None else opened_of(aligner)
    of_x, of_y = (_read(space, items, side) for side, items in (("x", x), ("y", y)))
    path = _file_of(pairs, out, space, of_x, of_y)
    options: dict[str, Any] = {"seed": seed, "mode": mode, "background": answers is None}
    with open_review(space, of_x, of_y, path, images=images, **options) as opened:
        if opened.progress is None:
            tell(_OF_A_RUN)
        if opened.show.session.question() is None:
            tell(opened.show.nothing_left())
        elif answers is None:
            from gentle_clip_jax.reviewing import server

            server.serve(opened.show, opened.progress, port, tell, opened.advance)
        else:
            play(opened, answers)
        return _reviewed(opened, path)


def _read(space: Opened | None, items: Given, side: str) -> Collection:
    return space.read(items, side)[0] if space else collection_of(items)


def _reviewed(review: Review, path: pathlib.Path) -> Reviewed:
    session, points = review.show.session, review.progress.points() if review.progress else []
    of_x, of_y = session.pairs()
    pairs = [*zip(session.x.items[of_x].tolist(), session.y.items[of_y].tolist())]
    answers = session.answers()[::-1]
    return Reviewed(pairs, len(session.standing.known), answers, points, path, session.x, session.y)


def _file_of(
    pairs: Any, out: str | pathlib.Path | None, opened: Opened | None, x: Collection, y: Collection
) -> pathlib.Path:
    """Return the file of pairs that grows, written if it is not there yet."""
    warn_stale(pairs, x, y)
    is_copied = False
    if isinstance(pairs, str | os.PathLike) and out is None:
        file = pathlib.Path(pairs)
        if can_grow(file):
            return file
        out = file.with_name(f"{pathlib.Path(file.name.partition(':')[0]).stem}-review")
        is_copied = True
    given = opened.remembered_pairs(x, y) if opened and pairs is None else pairs
    path = pathlib.Path("review" if out is None else out) / "pairs.csv"
    aligner = opened.aligner if opened else None
    if given is None and (not opened or (isinstance(aligner, Aligner) and not aligner.pairs)):
        return path  # nothing was fitted to pairs, so that the first ones are made here
    if given is None:
        assert opened is not None
        raise ValueError(f"{opened.path} remembers no pairs of these items: give --pairs=CSV.")
    ids = read_pairs(given, x.ids, y.ids, several=True).tolist()
    if is_copied:
        _log.info(
            f"{pairs} stays as it is, as it is no table with commas in UTF-8: the pairs are copied "
            f"to {path}, and the review adds to that file."
        )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        remembered = aligner.metadata.get("origins") if aligner else None
        write_pairs(path, ids, read_origins(pairs, x.ids, y.ids, remembered))
        return path
    given = review_folder(path) / "given.csv"  # before the first answer
    before, now = (
        {tuple(pair) for pair in read_pairs(file, x.ids, y.ids, several=True).tolist()}
        for file in (given if given.exists() else path, path)
    )
    if not before <= {tuple(pair) for pair in ids} <= now:
        raise ValueError(
            f"{path.parent} holds a review of other pairs: give another --out=DIR, or "
            f"--pairs={path} to go on with its pairs."
        )
    return path
