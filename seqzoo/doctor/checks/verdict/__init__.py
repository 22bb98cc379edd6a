"""Checks of how far training came."""
