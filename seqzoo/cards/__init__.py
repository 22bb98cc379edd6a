"""`seqzoo card` and `seqzoo reproduce`: one file about a training, and the training repeated."""
