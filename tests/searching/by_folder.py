"""Functions of `searching` that take an aligner by its folder, as commands do."""

from gentle_clip_jax import searching
from gentle_clip_jax.searching import embed
from gentle_clip_jax.training.loading import open_aligner


def open_gallery(aligner, gallery, **options):
    return searching.open_gallery(open_aligner(aligner), gallery, **options)


def index_gallery(aligner, gallery, **options):
    return searching.index_gallery(open_aligner(aligner), gallery, **options)


def embed_files(aligner, embeddings, out, *, side):
    return embed.embed(open_aligner(aligner), out=out, **{side: embeddings})
