"""Films of what is there already: of other films, and of folders of pictures."""
