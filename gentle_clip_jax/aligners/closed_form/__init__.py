"""Aligners without gradients: linear maps of frozen features, fitted in seconds."""
