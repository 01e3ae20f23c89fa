"""Embedding of new items with an aligner, and search by words or by an item."""

from gentle_clip_jax.searching.exact import nearest as nearest
from gentle_clip_jax.searching.search import Hit as Hit
from gentle_clip_jax.searching.search import Searcher as Searcher
from gentle_clip_jax.searching.search import index_gallery as index_gallery
from gentle_clip_jax.searching.search import open_gallery as open_gallery
