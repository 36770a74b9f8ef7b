"""Turns a trained network into the files that the server loads."""
