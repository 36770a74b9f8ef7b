"""Measurements of the product and the scripts that write them down."""
