"""A trained model as a folder that works without seqzoo, proven before it is left behind."""
