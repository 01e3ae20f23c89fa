"""Data on disk: readers of items, splits into matched and unmatched items, batches."""
