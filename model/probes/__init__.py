"""Asks the network what it looks at, and what makes it err."""
