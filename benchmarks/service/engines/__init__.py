"""Engines and precisions that can run the network, side by side."""
