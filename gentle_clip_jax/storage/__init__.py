"""Files: whole-or-nothing writing, bounded reading, digests, locks, and paths on a store."""
