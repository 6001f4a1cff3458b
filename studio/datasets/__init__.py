"""Prepared datasets: folders of pictures and city maps, as pixels ready for training."""
