"""Captioned images: photographs and captions."""
