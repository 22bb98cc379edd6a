"""Checks of the updates."""
