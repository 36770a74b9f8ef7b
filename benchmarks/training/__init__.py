"""Measures training: the input pipeline, and more images than memory holds."""
