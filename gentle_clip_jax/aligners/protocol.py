"""Protocol of an aligner: a fitted one and a trained run both satisfy it."""

from collections.abc import Mapping
from typing import Any, Protocol

from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs


class SharedSpace(Protocol):
    """Maps features of two modalities into one space, where cosines compare them.

    metadata: "method", "modalities", "encoders" and "fitted_on" of either modality.
    held_out: candidates of held-out pairs that the fit kept; None if it kept none.
    can_refit: whether other pairs can be fitted in moments; if not, it stays as it is.
    """

    @property
    def metadata(self) -> Mapping[str, Any]: ...

    @property
    def held_out(self) -> HeldOutPairs | None: ...

    @property
    def can_refit(self) -> bool: ...

    def embed_x(self, x: Any, /) -> Any:
        """Return unit rows [n, k] of features [n, dx]."""
        ...

    def embed_y(self, y: Any, /) -> Any:
        """Return unit rows [m, k] of features [m, dy]."""
        ...

    def smooth_gallery_x(self, rows: Any, /) -> Any:
        """Return rows [n, k] of `embed_x` as they are ranked for queries of y."""
        ...

    def smooth_gallery_y(self, rows: Any, /) -> Any:
        """Return rows [m, k] of `embed_y` as they are ranked for queries of x."""
        ...
