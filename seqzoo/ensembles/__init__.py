"""`seqzoo ensemble`: a run whose probabilities are the weighted mean of those of other runs."""
