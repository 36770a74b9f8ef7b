"""This app against what a user would otherwise run."""
