"""Reports on runs and diagnoses, as one HTML page and as a table."""

from gentle_clip_jax.report.comparison import show_comparison
from gentle_clip_jax.report.diagnosis import show_diagnosis, suspects
from gentle_clip_jax.report.page import write_report
from gentle_clip_jax.report.results import evaluations, results_table

__all__ = [
    "evaluations",
    "results_table",
    "show_comparison",
    "show_diagnosis",
    "suspects",
    "write_report",
]
