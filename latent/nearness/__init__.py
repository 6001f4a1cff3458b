"""Nearness: distances, nearest points, how far spaces agree, lengths of paths, and routes."""
