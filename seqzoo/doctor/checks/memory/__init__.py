"""Checks of the state that is carried from batch to batch."""
