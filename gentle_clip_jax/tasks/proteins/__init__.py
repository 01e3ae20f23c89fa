"""Proteins: sequences and structures."""
