"""Generators: their architectures, and what it takes to build one again."""
