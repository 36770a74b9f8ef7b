"""Evaluates networks: the committed evaluation, and the scores of a protocol."""
