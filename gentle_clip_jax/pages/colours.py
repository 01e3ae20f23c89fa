"""One colour for each thing, on every page and in every picture: a table for methods and sides."""

import re
from typing import NamedTuple

from gentle_clip_jax.pages.render import style

# Hues by name: those of light pages as the stylesheet has them, first of both schemes.
_LIGHT = dict(reversed(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6});", style())))


class Look(NamedTuple):
    """The style of a method in plots: a hue, and a matplotlib marker for colour-blind readers."""

    hue: str
    marker: str
    hollow: bool = False

    @property
    def sign(self) -> str:
        """The marker as a character for sentences and tables."""
        return _SIGNS[self.marker][self.hollow]


_SIGNS = dict(zip("os^v<>DdPXph*", zip("●■▲▼◀▶◆⬧✚✖⬟⬢★", "○□△▽◁▷◇⬨✛✕⬠⬡☆")))
# Pairs-only methods have dashed lines, others solid ones: so one of each may share a hue.
METHODS = {
    "cca": Look("blue", "o"),
    "procrustes": Look("grey", "s"),
    "ridge": Look("orange", "^"),
    "relative": Look("teal", "D"),
    "cca_relative": Look("pink", "s"),
    "joint": Look("violet", "o"),
    "joint_adapted": Look("violet", "*"),
    "transported_cca": Look("orange", "o"),
    "gentle_transport": Look("green", "s"),
    "gentle_relative": Look("pink", "*"),
    "named_transport": Look("teal", "*"),
}
SERIES = ("blue", "orange", "violet", "green")  # runs side by side, of which the first is meant
X, Y = "blue", "orange"


def look(method: str) -> Look:
    """Return a method's style: hollow with gallery smoothing, grey for an unlisted method."""
    base, smoothed, _ = method.partition("+")
    return METHODS.get(base, Look("grey", "o"))._replace(hollow=bool(smoothed))


def light(hue: str) -> str:
    """Return the hue in a stand-alone picture, such as "#1f5fd0"."""
    return _LIGHT[hue]
