"""Runs for others: folders for the Hugging Face Hub, and pages for any web server."""
