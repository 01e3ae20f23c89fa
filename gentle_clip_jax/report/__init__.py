"""What a run did, as one HTML page and as a table, read from its folder alone."""

from gentle_clip_jax.report.page import write_report
from gentle_clip_jax.report.results import results_table

__all__ = ["results_table", "write_report"]
