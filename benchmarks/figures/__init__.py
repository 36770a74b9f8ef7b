"""Puts the figures of the reports into README.md, MODEL_CARD.md and docs/."""
