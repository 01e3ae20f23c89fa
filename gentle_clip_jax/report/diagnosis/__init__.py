"""Reports of `gentle-clip diagnose`: a page with plots, and a table for a terminal."""

from gentle_clip_jax.report.diagnosis.write import show_diagnosis, suspects

__all__ = ["show_diagnosis", "suspects"]
