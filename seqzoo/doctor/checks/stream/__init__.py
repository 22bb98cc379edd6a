"""Checks of the batches that a model is trained on."""
