"""Icon search: glyphs and the words of their names."""
