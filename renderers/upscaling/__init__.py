"""Making pictures and films larger by a network, tile by tile, in bounded memory."""
