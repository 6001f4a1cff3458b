"""Lineage: which run each run began from, and why."""
