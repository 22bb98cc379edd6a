"""Counts of what followed a context: of all text that was trained on, and of the latest tokens.

Any architecture can use them: `Counts` gives the distributions of the next symbol after each token.
"""
