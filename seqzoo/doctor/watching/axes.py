"""Which axis of a loop's ids is time, where no target shows it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqzoo.doctor.evidence.network import Network
from seqzoo.model.runtime import in_inference_mode

__all__ = ["reads_time_first"]

_CLEAR_BITS = 0.2
_LEAST = 200


def reads_time_first(network: Network, given: Sequence[Tensor]) -> bool:
    """Whether a model that is called with these ids as they are reads (T, B).

    It does if only the first axis joins its places: a row of the batch does not depend on others.
    A model that reads (B, T) in the wrong way does the same; then neighbours in a row of the ids
    say more about each other than those in a column.
    """
    joins_first, joins_second = _joined_axes(network, given[0])
    if not joins_first or joins_second:
        return False
    along, down = _shared_bits(given)
    return along < down + _CLEAR_BITS


def _joined_axes(network: Network, ids: Tensor) -> tuple[bool, bool]:
    """For each axis, whether other ids at its first place change logits at the later ones."""
    copied = network.copied()
    known = torch.unique(ids)
    other = known[(torch.searchsorted(known, ids) + 1) % len(known)]
    with in_inference_mode(copied.module), torch.random.fork_rng(devices=[]):
        usual = copied(ids)[0]
        found = []
        for place in ((slice(0, 1), slice(None)), (slice(None), slice(0, 1))):
            changed = ids.clone()
            changed[place] = other[place]
            later = tuple(slice(1, None) if each.stop == 1 else each for each in place)
            found.append(not torch.allclose(copied(changed)[0][later], usual[later], atol=1e-6))
    return found[0], found[1]


def _shared_bits(given: Sequence[Tensor]) -> tuple[float, float]:
    """What a token tells of the one beside it, and of the one below it; 0 for too few of them."""
    along = torch.cat([torch.stack([i[:, :-1].flatten(), i[:, 1:].flatten()]) for i in given], 1)
    down = torch.cat([torch.stack([i[:-1].flatten(), i[1:].flatten()]) for i in given], 1)
    size = min(along.shape[1], down.shape[1])  # of more pairs the estimate is lower
    if size < _LEAST:
        return 0.0, 0.0
    return _mutual_information(along[:, :size]), _mutual_information(down[:, :size])


def _mutual_information(pairs: Tensor) -> float:
    one, other = pairs
    return _entropy(one[None]) + _entropy(other[None]) - _entropy(pairs)


def _entropy(symbols: Tensor) -> float:
    """In bits, of columns."""
    _, counts = torch.unique(symbols, dim=1, return_counts=True)
    shares = counts.double() / counts.sum()
    return float(-(shares * shares.log2()).sum())
