"""Networks in plain PyTorch, as they are published beside their weights for anybody to run."""
