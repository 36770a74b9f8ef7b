"""The one limit on time in the tests: against waiting for ever, and not a measure of speed."""

LONGEST_WAIT = 600
"""Seconds; many times what a busy machine needs for any one thing that a test waits for."""
