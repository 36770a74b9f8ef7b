"""Builds and trains the network; needs Keras."""
