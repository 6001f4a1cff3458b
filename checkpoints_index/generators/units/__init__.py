"""Units of hidden layers: where they lie in tensors, taking some away, adding others."""
