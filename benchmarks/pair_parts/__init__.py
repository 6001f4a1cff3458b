"""What pairs of commands are played on, what they should leave, and how that is looked at."""
