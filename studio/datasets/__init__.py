"""Datasets: folders of pictures and city maps, prepared as pixels that training reads."""
