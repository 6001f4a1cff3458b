"""Two networks that turn lower-case letters into upper-case ones and back, and what they draw."""
