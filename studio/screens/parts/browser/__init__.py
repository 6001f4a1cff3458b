"""What the page and the browser tell each other: its address, news, and what was written."""
