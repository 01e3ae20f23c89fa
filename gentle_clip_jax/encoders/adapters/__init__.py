"""Encoders of other libraries, read by these libraries."""
