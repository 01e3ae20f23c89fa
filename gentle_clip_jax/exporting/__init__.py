"""An aligner for programs that have other packages than ours: compiled, as ONNX, or as matrices."""

from gentle_clip_jax.exporting.write import FORMATS as FORMATS
from gentle_clip_jax.exporting.write import export_aligner as export_aligner
