"""Checks of the model alone."""
