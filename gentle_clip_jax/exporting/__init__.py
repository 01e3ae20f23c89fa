"""Export of aligners and runs for other programs: compiled, as ONNX, as matrices."""

from gentle_clip_jax.exporting.write import export as export
