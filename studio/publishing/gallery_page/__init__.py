"""One page about a run, for any web server."""
