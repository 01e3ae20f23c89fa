"""Reports of `gentle-clip compare`: a page with tables, a picture, and a terminal's table."""

from gentle_clip_jax.report.comparison.table import comparison_table
from gentle_clip_jax.report.comparison.write import show_comparison, write_comparison

__all__ = ["comparison_table", "show_comparison", "write_comparison"]
