"""Checks of a training loop that was watched."""
