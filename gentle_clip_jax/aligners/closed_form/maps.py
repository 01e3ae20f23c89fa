"""Maps that closed forms fit: of NumPy's arrays, where JAX is not loaded, or of JAX's."""

from typing import TYPE_CHECKING, NamedTuple

from gentle_clip_jax.aligners.closed_form.arrays import Array, concatenated, unit_rows
from gentle_clip_jax.aligners.closed_form.neighbours import smooth_alike

if TYPE_CHECKING:
    from gentle_clip_jax.evaluation.cross_validation import Embeds


class Maps(NamedTuple):
    """Centres [dx], [dy] and maps [dx, k], [dy, k] into one space, where cosines compare rows."""

    mean_x: Array
    map_x: Array
    mean_y: Array
    map_y: Array

    def embed_x(self, x: Array) -> Array:
        """Return unit rows [n, k] of features [n, dx]."""
        return unit_rows((x - self.mean_x[None, :]) @ self.map_x)

    def embed_y(self, y: Array) -> Array:
        """Return unit rows [m, k] of features [m, dy]."""
        return unit_rows((y - self.mean_y[None, :]) @ self.map_y)


class Joined(NamedTuple):
    """The mean of several aligners' cosines, as one space."""

    aligners: "tuple[Embeds, ...]"

    def embed_x(self, x: Array) -> Array:
        """Return unit rows [n, sum of k] of features [n, dx]."""
        return _joined([aligner.embed_x(x) for aligner in self.aligners])

    def embed_y(self, y: Array) -> Array:
        """Return unit rows [m, sum of k] of features [m, dy]."""
        return _joined([aligner.embed_y(y) for aligner in self.aligners])


def _joined(parts: list[Array]) -> Array:
    return unit_rows(concatenated(parts, axis=1))


class Smoothed(NamedTuple):
    """Maps of features of x smoothed over their neighbours in a bank [m, dx], if it has any."""

    maps: Maps | Joined
    bank: Array
    weight: float

    def smooth_x(self, x: Array) -> Array:
        """Smooth features [n, dx] for the maps."""
        return smooth_alike(x, self.bank, weight=self.weight) if len(self.bank) else x

    def embed_x(self, x: Array) -> Array:
        """Return unit rows [n, k] of features [n, dx]."""
        return self.maps.embed_x(self.smooth_x(x))

    def embed_y(self, y: Array) -> Array:
        """Return unit rows [m, k] of features [m, dy]."""
        return self.maps.embed_y(y)
