"""The classes of the parts of an aligner: only these are saved and loaded."""

from gentle_clip_jax.aligners.closed_form.gallery_smoothing import SmoothedGallery
from gentle_clip_jax.aligners.closed_form.maps import Joined, Maps, Smoothed
from gentle_clip_jax.aligners.fitted_sample import FittedSample
from gentle_clip_jax.aligners.query_smoothing import QuerySmoothing
from gentle_clip_jax.aligners.standardizer import Standardizer
from gentle_clip_jax.evaluation.held_out_pairs import Direction, HeldOutPairs

_KINDS = (
    *(Joined, Maps, Smoothed, SmoothedGallery),
    *(Direction, FittedSample, HeldOutPairs, QuerySmoothing, Standardizer),
)


def kind(name: str) -> type | None:
    """Return the class of a part of an aligner by its name; None of any other."""
    match name:  # those that load JAX
        case "Anchors":
            from gentle_clip_jax.aligners.closed_form.relative import Anchors as found
        case "Named":
            from gentle_clip_jax.aligners.closed_form.zero_pairs import Named as found
        case _:
            found = {one.__name__: one for one in _KINDS}.get(name)
    return found
