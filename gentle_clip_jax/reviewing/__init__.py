"""Review of pairs by hand: a page that asks for partners, and files that record every answer."""

from gentle_clip_jax.reviewing.played import Screen as Screen
from gentle_clip_jax.reviewing.reviewed import Reviewed as Reviewed
from gentle_clip_jax.reviewing.reviewed import review as review
