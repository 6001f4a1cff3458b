"""Films of folders of pictures: their order, their pace, and their frames."""
