"""Figures from labels and probabilities, in NumPy alone."""
