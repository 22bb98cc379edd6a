"""Exact bits per byte, static and adaptive, and the scores of baselines."""
