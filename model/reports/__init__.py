"""The committed reports, typed: what the page Model, README and MODEL_CARD.md all show."""
