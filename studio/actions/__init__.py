"""What a person can have done, each declared once."""
