"""What other programs may ask for: every action as an endpoint and as a tool."""
