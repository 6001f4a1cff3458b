"""The gallery of specimens: what the page shows of them, and what it asks for."""
