"""Training: the loop, its step, its checkpoints, and what is restored from them."""
