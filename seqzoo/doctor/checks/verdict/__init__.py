"""Checks of how well the training went."""
