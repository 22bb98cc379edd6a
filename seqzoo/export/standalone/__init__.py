"""Files that are copied to exported folders, or run beside them; they never import seqzoo."""
