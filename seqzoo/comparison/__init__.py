"""A few runs held against the first: scores, settings, curves, and where they differ."""
