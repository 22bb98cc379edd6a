"""Checks of training's updates."""
