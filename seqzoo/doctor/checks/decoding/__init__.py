"""Checks of the text that a model writes."""
