"""Text as a compressed file: a range coder over a model's probabilities."""
