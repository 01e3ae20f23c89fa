"""From two files of embeddings and a file of pairs to a saved aligner, and what to expect of it."""

from gentle_clip_jax.aligning.fit import align as align
