"""Everything that touches disk: sources of items, the matched / unmatched split, batches."""
