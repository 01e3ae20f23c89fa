"""Weights and configs that others have published, as towers."""
