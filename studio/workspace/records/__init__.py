"""Typed records: fields that are declared once, and how values are written and read."""
