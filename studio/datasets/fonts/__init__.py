"""Letters of fonts: drawn, screened, and prepared as distance fields."""
