"""Pictures made larger by a run that was trained for it, with what they say of themselves."""
