"""Features of frozen encoders, in folders."""
