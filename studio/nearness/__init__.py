"""What is near what, in which space: searches, tables of distances, agreement, ways, memorising."""
