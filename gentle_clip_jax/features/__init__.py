"""Features of frozen encoders, kept in folders."""
