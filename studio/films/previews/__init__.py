"""What a film will be, before it is rendered: its frames, its cost, and some of its pictures."""
