"""Atlases: maps of many cities of one checkpoint, how far they may be believed, and posters."""
