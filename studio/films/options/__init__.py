"""What may be asked of films, declared once."""
