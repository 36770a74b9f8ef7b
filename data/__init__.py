"""Datasets: download, phantoms, galleries."""
