"""The result of a run, which results are comparable, and what scores are compared with."""
