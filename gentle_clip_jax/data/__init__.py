"""Data on disk: sources of items, the matched / unmatched split, batches."""
