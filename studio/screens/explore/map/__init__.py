"""The map of an atlas, on which one pans, zooms and chooses."""
