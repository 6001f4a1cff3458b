"""Formats of other programs that are read here byte by byte, since their libraries are not."""
