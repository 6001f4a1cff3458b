"""Upkeep: imports, reindexing and thinning of runs."""
