"""Training: the loop, its step, its checkpoints, and runs restored from them."""
