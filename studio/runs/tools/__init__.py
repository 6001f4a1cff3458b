"""What runs can do as tools: checkpoints that work on pictures which they did not draw."""
