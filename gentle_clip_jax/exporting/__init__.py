"""Export of aligners and runs for other programs: as StableHLO or as matrices."""

from gentle_clip_jax.exporting.write import export as export
