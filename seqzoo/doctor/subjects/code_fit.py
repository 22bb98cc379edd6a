"""How a user's model is called, tried with their own first batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.calling import call_plainly, can_begin, takes_a_state
from seqzoo.doctor.evidence.network import Forward, Network, tensors_in
from seqzoo.doctor.evidence.one_size import OfOneSize
from seqzoo.doctor.evidence.readings import (
    ByToken,
    OneHot,
    StateInside,
    TimeFirst,
    reads_rows_as_time,
)
from seqzoo.model.runtime import in_inference_mode

__all__ = ["called", "fitted", "one_hot_readings", "reads", "tried", "with_state_inside"]


def called(network: Network, inputs: Tensor, width: int | None) -> Network:
    """The network, called in the way that its module needs; as it is if there is no other way.

    width: of the one-hot rows that the batches have, None if they have ids. A way is chosen only
    if the usual one raises, or if the module keeps a state and has a method that begins it.
    """
    if network.forward is not call_plainly:
        return network
    if (inside := with_state_inside(network, inputs)) is not None:
        return inside
    if reads(network, inputs):
        return network
    one_hot = one_hot_readings(network.module, inputs, width)
    ways: list[Forward] = [*one_hot, ByToken(), ByToken(is_column=True), TimeFirst()]
    for forward in ways:
        other = replace(network, forward=forward)
        if _logits(other, inputs) is not None and _has_one_meaning(other, inputs):
            return other
    return network


def one_hot_readings(module: nn.Module, inputs: Tensor, width: int | None) -> list[Forward]:
    """Ways to give one-hot rows of a width; without it of that of the first or the last layer."""
    matrices = [p for p in module.parameters() if p.ndim == 2]
    widths = [width]
    if width is None:
        if not matrices or any(isinstance(each, nn.Embedding) for each in module.modules()):
            return []
        widths = [matrices[0].shape[-1], matrices[-1].shape[0]]
    fitting = [each for each in widths if each is not None and each > int(inputs.max())]
    one_hot = [OneHot(each) for each in fitting]
    return [*one_hot, *(ByToken(each) for each in one_hot)]


def fitted(network: Network, inputs: Tensor) -> Network:
    """The network as it is or, if it reads batches of one size only, so that it reads others.

    One that cannot read the batch stays as it is: model.contract reports why.
    """
    if _logits(network, inputs) is None:
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


def with_state_inside(network: Network, inputs: Tensor) -> Network | None:
    """The network with the state that its module keeps, if it can be begun, given and returned."""
    if not can_begin(network.module) or takes_a_state(network.module):
        return None
    if not (places := _changing(network, inputs)):
        return None
    inside = replace(network, forward=StateInside(places, network.forward))

    def again() -> Tensor:
        copied = inside.copied()
        with in_inference_mode(copied.module):
            logits, state = copied(inputs)
            return (copied(inputs, state)[0] - logits).abs().max()

    difference = tried(again)
    return inside if difference is not None and float(difference) > 0 else None


def _changing(network: Network, inputs: Tensor) -> tuple[tuple[str, str], ...]:
    """Attributes of the module and its parts with tensors that a second pass changes."""
    copied = network.copied()

    def kept() -> dict[tuple[str, str], list[Tensor]]:
        with in_inference_mode(copied.module):
            copied.forward(copied.module, inputs.to(copied.device), None)
        return {
            (part, name): [leaf.clone() for leaf in leaves]
            for part, module in copied.module.named_modules()
            for name, value in [*vars(module).items(), *module._buffers.items()]
            if not name.startswith("_") and (leaves := list(tensors_in(value)))
        }

    both = tried(lambda: (kept(), kept()))
    if both is None:
        return ()
    first, second = both
    return tuple(
        place
        for place, leaves in second.items()
        if len(before := first.get(place, [])) != len(leaves)
        or not all(torch.equal(a, b) for a, b in zip(before, leaves, strict=True))
    )


def _has_one_meaning(network: Network, inputs: Tensor) -> bool:
    """Whether rows cannot be taken for time in this way of calling."""
    if isinstance(network.forward, OneHot) or len(inputs) < 2:
        return True
    copied = network.copied()
    if reads_rows_as_time(copied.module, lambda: tried(lambda: copied(inputs))):
        return False
    if not isinstance(network.forward, TimeFirst):
        return True
    others = inputs.clone()
    others[0] = inputs.max() + inputs.min() - inputs[0]
    before, after = _logits(network, inputs), _logits(network, others)
    return (
        before is not None
        and after is not None
        and torch.allclose(before[-1], after[-1], rtol=1e-3, atol=1e-4, equal_nan=True)
    )


def reads(network: Network, inputs: Tensor) -> bool:
    """Whether the call itself raises nothing, whatever its answer is."""
    copied = network.copied()

    def call() -> Any:
        with in_inference_mode(copied.module):
            copied.forward(copied.module, inputs.to(copied.device), None)
        return True

    return tried(call) is not None


def _logits(network: Network, tokens: Tensor, times: int = 1) -> Tensor | None:
    """What a copy in eval mode gives when it has read the text so many times; None if it cannot."""

    def read() -> Tensor:
        copied = network.copied()
        with in_inference_mode(copied.module):
            for _ in range(times):
                torch.manual_seed(0)
                logits, _ = copied(tokens)
        return logits

    logits: Tensor | None = tried(read)
    return logits


def tried(make: Callable[[], Any]) -> Any:
    """What `make` returns, None if it raises; random numbers are drawn apart."""
    try:
        with torch.random.fork_rng(devices=[]):
            return make()
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None


def _keeps(network: Network, tokens: Tensor) -> bool:
    """Whether the module keeps a state in itself: text that is read again gives other logits."""
    once, twice = (_logits(network, tokens, times) for times in (1, 2))
    return once is None or twice is None or not torch.allclose(once, twice, equal_nan=True)
