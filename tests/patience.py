"""Limits on time in the tests: against waiting for ever, and no measure of speed."""

LONGEST_WAIT = 600
"""Seconds; many times what a busy machine needs for any one thing that a test waits for."""

PAGE_WAIT = 60
"""Seconds for what a page should show: a test that fails must not take minutes to say so."""
