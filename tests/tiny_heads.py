"""Heads that are trained in few steps, where what is tested is not how well."""

import functools

import pytest

from gentle_clip_jax.aligners.heads import methods
from gentle_clip_jax.aligners.heads.settings import Settings


def install(patch: pytest.MonkeyPatch) -> None:
    """Lets methods train 25 steps in place of 500."""
    patch.setattr(methods, "fit", functools.partial(methods.fit, settings=Settings(steps=25)))
