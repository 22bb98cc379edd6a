"""Gradients that Adam and norms can take, whatever the layers of a user's model give."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["dense", "without_sparse_gradients"]


def without_sparse_gradients(module: nn.Module) -> None:
    """Change embeddings so that their gradients are dense: the values are the same."""
    for part in module.modules():
        if isinstance(part, (nn.Embedding, nn.EmbeddingBag)):
            part.sparse = False


def dense(gradient: Tensor) -> Tensor:
    """A gradient as a dense tensor."""
    return gradient.to_dense() if gradient.is_sparse else gradient
