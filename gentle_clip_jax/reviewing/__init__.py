"""Confirming pairs by hand: a page that asks for partners, and files that keep every answer."""
