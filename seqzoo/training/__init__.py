"""The training loop, the optimizers and the checkpoints."""
