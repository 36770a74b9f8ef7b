"""What the measurements of the service share: start it, ask it, watch its memory, limit it."""
