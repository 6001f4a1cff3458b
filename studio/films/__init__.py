"""Films of runs, from what a person may write."""
