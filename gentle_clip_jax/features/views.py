"""Features averaged over several views of an image: mirrored, or turned where it has no top."""

from collections.abc import Callable, Iterator

import numpy as np

_VIEWS = ("mirror", "turns")
_Apply = Callable[[np.ndarray], np.ndarray]


def check_views(views: str | None) -> None:
    """Check that views of that name exist.

    Raises:
      ValueError: they do not; the message lists the names that exist.
    """
    if views not in (None, *_VIEWS):
        raise ValueError(f"--views={views} must be one of {', '.join(_VIEWS)}.")


def over_views(apply: _Apply, views: str | None) -> _Apply:
    """Return a function from images to the mean of the features of their views.

    Args:
      apply: from images [b, s, s, 3] to features [b, d].
      views: None, the images as they are; "mirror", also their mirror images; or "turns", also
        turned by 90, 180 and 270 degrees.
    """
    if views is None:
        return apply
    return lambda images: np.mean([apply(view) for view in _views_of(images, views)], axis=0)


def _views_of(images: np.ndarray, views: str) -> Iterator[np.ndarray]:
    yield images
    if views == "mirror":
        yield np.ascontiguousarray(images[:, :, ::-1])
    else:
        for quarters in (1, 2, 3):
            yield np.ascontiguousarray(np.rot90(images, quarters, axes=(1, 2)))
