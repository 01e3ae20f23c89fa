"""Flax linen modules: arrays in, features out. They know no loss and no data."""
