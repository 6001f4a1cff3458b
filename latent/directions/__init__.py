"""Directions in latent space that mean something: find them, judge them, and go along them."""
