"""A few runs compared with the first: scores, settings, curves, and where they differ."""
