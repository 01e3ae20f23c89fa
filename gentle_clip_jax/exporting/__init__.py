"""Aligners and runs for programs with other packages than ours: compiled, as ONNX, as matrices."""

from gentle_clip_jax.exporting.write import export_aligner as export_aligner
from gentle_clip_jax.exporting.write import export_run as export_run
