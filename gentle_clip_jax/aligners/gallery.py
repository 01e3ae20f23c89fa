"""Choice of gallery smoothing by held-out pairs: which modality is smoothed, and by which rows."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import Array, concatenated
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import Galleries, SmoothedGallery
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage, shrunk_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.reduced import unmatched_parts
from gentle_clip_jax.evaluation.cross_validation import Embeds, partner_ranks
from gentle_clip_jax.evaluation.intervals import standard_errors
from gentle_clip_jax.evaluation.pairs import take
from gentle_clip_jax.evaluation.splits import repeated_folds

_ROWS, _BYTES = 16384, 2**26  # maximum size of a bank
_LEAST_ROWS = 300  # minimum size of a bank
_LEAST_PAIRS = 6  # held-out pairs; with fewer, defaults apply
_EVALUATED = 4096  # rows of a bank in cross-validation
_SEED = 0  # of random choices


def choose_galleries(small: Features) -> Galleries:
    """Choose which modality's gallery is smoothed.

    x is smoothed unless that worsens the ranks of held-out partners by a standard error, y only if
    it improves them by one. CCA of the pairs is what is evaluated: the choice favours no method.

    Args:
      small: standardised features, reduced, see `reduced.reduced_problem`.
    """
    gain_x, gain_y = _gains(small, _SEED)
    return Galleries(x=gain_x >= -1, y=gain_y >= 1)


def with_banks(features: Features, maps: Embeds, galleries: Galleries) -> SmoothedGallery:
    """Add banks for the galleries that are smoothed, if there are rows enough.

    Args:
      features: standardised, to which the maps were fitted; single rows of them make the banks.
      maps: of any method.
      galleries: see `choose_galleries`.
    """
    of_x, of_y = (features.x, features.unmatched_x), (features.y, features.unmatched_y)
    return SmoothedGallery(
        maps,
        bank_x=_bank(maps.embed_x, _rows(of_x, _SEED)) if galleries.y else None,
        bank_y=_bank(maps.embed_y, _rows(of_y, _SEED)) if galleries.x else None,
    )


class _Ranked(NamedTuple):
    """Maps with gallery smoothing applied to both modalities."""

    smoothed: SmoothedGallery

    def embed_x(self, x: Array) -> Array:
        return self.smoothed.smooth_gallery_x(self.smoothed.embed_x(x))

    def embed_y(self, y: Array) -> Array:
        return self.smoothed.smooth_gallery_y(self.smoothed.embed_y(y))


def _gains(features: Features, seed: int) -> tuple[float, float]:
    """Return the gain in ranks from smoothing x, and from smoothing y, in standard errors."""
    n = len(features.x)
    if n < _LEAST_PAIRS:
        return 0.0, 0.0
    _, distractors = unmatched_parts(features)
    (x, distractors_x, more_x), (y, distractors_y, more_y) = (
        (
            items.mean(axis=1),
            unmatched[distractors].mean(axis=1),
            _rows((unmatched[: distractors.start], unmatched[distractors.stop :]), seed)[
                :_EVALUATED
            ],
        )
        for items, unmatched in (
            (features.x, features.unmatched_x),
            (features.y, features.unmatched_y),
        )
    )
    shrinkage = chosen_shrinkage(shrunk_cca, x, y)
    counts, gains = np.zeros(n), np.zeros((2, n))
    for held_out, rest in repeated_folds(n, seed):
        rest_x, rest_y = take(rest, x, y)
        all_x, all_y = take(np.concatenate([held_out, rest]), x, y)
        maps = shrunk_cca(rest_x, rest_y)(shrinkage)
        plain = SmoothedGallery(maps, None, None)
        smoothed = (
            plain._replace(bank_y=maps.embed_y(concatenated([rest_y, more_y]))),
            plain._replace(bank_x=maps.embed_x(concatenated([rest_x, more_x]))),
        )
        gallery = concatenated([all_x, distractors_x]), concatenated([all_y, distractors_y])
        before = np.log(partner_ranks(plain, *gallery, len(held_out)))
        counts[held_out] += 1
        # Queries of y rank x, and queries of x rank y.
        for gain, one, queries in zip(gains, smoothed, (1, 0)):
            after = np.log(partner_ranks(_Ranked(one), *gallery, len(held_out)))
            gain[held_out] += (before - after)[:, queries]
    return standard_errors(gains[0] / counts), standard_errors(gains[1] / counts)


def _rows(groups: Iterable[Array], seed: int) -> Array:
    """Return single rows of items [n, j, d], matched or not, in random order."""
    rows = concatenated([items.reshape(-1, items.shape[-1]) for items in groups])
    return rows[np.random.default_rng(seed).permutation(len(rows))[:_ROWS]]


def _bank(embed: Callable[[Array], Array], rows: Array) -> Array | None:
    """Return the embedded rows, as many as fit into a bank; None if they are too few."""
    if len(rows) < _LEAST_ROWS:
        return None
    embedded = embed(rows)
    return embedded[: max(_LEAST_ROWS, _BYTES // embedded[0].nbytes)]
