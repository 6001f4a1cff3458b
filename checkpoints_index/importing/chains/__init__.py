"""What the layers of a file leave open, and what tells it: a person, their sizes, statistics."""
