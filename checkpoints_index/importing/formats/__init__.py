"""Formats of weights that need more than reading: folders of TensorFlow, folded factors."""
