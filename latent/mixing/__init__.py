"""Points made of points: sums and means, truncation, grids between corners, walks near a point."""
