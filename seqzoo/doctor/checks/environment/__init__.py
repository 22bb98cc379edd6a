"""Checks of the machine and the installation."""
