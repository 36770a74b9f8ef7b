"""Tumour outlines: the file that holds them, and how it is made from the public collection."""
