"""Commands, read off the declarations of actions."""
