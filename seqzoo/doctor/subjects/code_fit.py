"""How a user's model is called, tried with their own first batch."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.one_size import OfOneSize
from seqzoo.model.runtime import in_inference_mode
from seqzoo.plugin.contracts import Batch

__all__ = ["fitted"]


def fitted(network: Network, batch: Batch) -> Network:
    """The network as it is or, if it reads batches of one size only, so that it reads others.

    One that cannot read the batch stays as it is: model.contract reports why.
    """
    inputs = batch.inputs
    usual = _logits(network, inputs)
    if usual is None:
        return network
    rows, length = inputs.shape
    fewer, more = inputs[: 2 if rows > 2 else 1], inputs.repeat(2, 1)
    shorter = inputs[:, : max(1, length // 2)]
    is_of_rows = any(_logits(network, text) is None for text in (fewer, more))
    is_of_length = length > 1 and _logits(network, shorter) is None
    if not (is_of_rows or is_of_length):
        return network
    return replace(
        network,
        forward=OfOneSize(
            network.forward,
            rows=rows if is_of_rows else None,
            length=length if is_of_length else None,
            keeps=_keeps(network, inputs),
        ),
    )


def _logits(network: Network, tokens: Tensor, times: int = 1) -> Tensor | None:
    """What a copy in eval mode gives when it has read the text so many times; None if it cannot."""
    try:
        copied = network.copied()
        with in_inference_mode(copied.module), torch.random.fork_rng(devices=[]):
            for _ in range(times):
                torch.manual_seed(0)
                logits, _ = copied(tokens)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None
    return logits


def _keeps(network: Network, tokens: Tensor) -> bool:
    """Whether the module keeps a state in itself: text that is read again gives other logits."""
    once, twice = (_logits(network, tokens, times) for times in (1, 2))
    return once is None or twice is None or not torch.allclose(once, twice, equal_nan=True)
