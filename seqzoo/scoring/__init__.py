"""Exact bits per byte, frozen or learning, and the baselines beside them."""
