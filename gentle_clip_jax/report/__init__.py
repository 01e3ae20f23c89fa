"""Reports on runs, as one HTML page and as a table."""

from gentle_clip_jax.report.page import write_report
from gentle_clip_jax.report.results import evaluations, results_lines

__all__ = ["evaluations", "results_lines", "write_report"]
