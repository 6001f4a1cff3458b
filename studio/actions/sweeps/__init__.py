"""Sweeps: several settings, one run after the other."""
