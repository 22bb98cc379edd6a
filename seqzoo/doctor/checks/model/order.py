"""Whether the order of earlier tokens matters.

Method: random tokens (4, T) in eval mode, in float64 if the model can; two neighbours just before
the last token are swapped, or one of them is replaced, and the outputs at the last place are
compared. First the logits; then the output of each layer, in the order in which layers run: the
first one that another earlier token changes is where tokens are mixed. Cost: three passes. Pass
rule: swapping changes what replacing changes, by at least a billionth of that (a ten-thousandth in
float32). Fail: no logit changes, so the model reads a set of tokens and not a sequence. Warn: only
the first layer that mixes tokens does not see their order; deeper causal attention can still derive
it, which is slower to learn. Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5; Haviv et
al. 2022, arXiv:2203.16634, on causal models without positions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seqzoo.doctor.checks.model._passes import in_double, length_for, seeded, without_zeros
from seqzoo.doctor.evidence.network import Network, runs_hooks, tensors_in
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_ROWS = 4
_SHORTEST = 4
_BLIND = {torch.float64: 1e-9, torch.float32: 1e-4}
_WHY = (
    "Attention, sums and means read earlier tokens as a set: without positions 'dog bites man' and "
    "'man bites dog' are the same text."
)
_REMEDY = (
    "Give the model positions along the time axis: add learnt or sinusoidal embeddings of "
    "torch.arange(T), axis 1 of (B, T, D), or rotate queries and keys by their place in time, "
    "with tensors (B, heads, T, d): check which axis the function takes for time."
)


class _Outputs(NamedTuple):
    """What one pass gave at the last place: (B, V) logits, and the outputs of layers by name."""

    logits: Tensor
    layers: dict[str, Tensor]


def examine(subject: Subject) -> Outcome:
    network = in_double(without_zeros(subject.network))
    length = length_for(subject)
    if length < _SHORTEST:
        raise Missing("the model reads too few tokens at once to swap two of them")
    tokens = _with_other_neighbours(subject.random_tokens(_ROWS, length))
    swapped, replaced = tokens.clone(), tokens.clone()
    swapped[:, -3], swapped[:, -2] = tokens[:, -2], tokens[:, -3]
    replaced[:, -3] = tokens[:, -2]
    before, after_swap, after_replacing = (
        _outputs(network, text) for text in (tokens, swapped, replaced)
    )
    blind = _BLIND.get(before.logits.dtype, _BLIND[torch.float32])
    by_replacing = _distance(after_replacing.logits, before.logits)
    if by_replacing == 0:
        raise Missing("the logits depend on no token that is two places back")
    by_swapping = _distance(after_swap.logits, before.logits) / by_replacing
    figures = {"by_swapping": by_swapping}
    if by_swapping <= blind:
        return Outcome.failed(
            "the order of earlier tokens changes nothing: with two of them swapped the logits are "
            "the same",
            why=_WHY,
            remedy=_REMEDY,
            numbers=figures,
        )
    if (layer := _first_blind_layer(before, after_swap, after_replacing, blind)) is not None:
        return Outcome.warned(
            f"the first layer that mixes tokens does not see their order: {layer} gives the same "
            f"if two earlier tokens are swapped, so no position reaches it",
            why=f"{_WHY} Deeper causal layers can derive the order, but learn it slowly and less "
            "exactly.",
            remedy=f"{_REMEDY} Ignore this if the model has no positions on purpose.",
            numbers=figures,
        )
    return Outcome.passed(
        f"swapping two earlier tokens changes the logits {by_swapping:.2g} times as much as "
        f"replacing one",
        **figures,
    )


def _with_other_neighbours(tokens: Tensor) -> Tensor:
    """The same with two different tokens at the places that are swapped."""
    tokens = tokens.clone()
    same = tokens[:, -3] == tokens[:, -2]
    tokens[same, -3] = (tokens.max() + tokens.min() - tokens[:, -3])[same]
    still = tokens[:, -3] == tokens[:, -2]
    tokens[still, -3] = tokens.max()
    return tokens


def _outputs(network: Network, tokens: Tensor) -> _Outputs:
    copy = network.copied()
    copy.module.eval()
    layers: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            first = next(tensors_in(output), None)
            last = None if first is None else _last_place(first, *tokens.shape)
            if last is not None:
                layers[name] = last

        return hook

    for name, module in copy.module.named_modules():
        if name and runs_hooks(module):
            module.register_forward_hook(keep(name))
    # With gradients: torch's transformer layers skip their parts, and so the hooks, without them.
    with seeded(0), torch.enable_grad():
        logits, _ = copy(tokens)
    return _Outputs(logits[:, -1].detach(), layers)


def _last_place(output: Tensor, B: int, T: int) -> Tensor | None:
    """The output at the last time, if its shape begins with (B, T) or (T, B)."""
    if output.ndim < 3 or not output.is_floating_point():
        return None
    if output.shape[:2] == (B, T):
        return output[:, -1].detach()
    return output[-1].detach() if output.shape[:2] == (T, B) else None


def _first_blind_layer(
    before: _Outputs, after_swap: _Outputs, after_replacing: _Outputs, blind: float
) -> str | None:
    """The first layer that another earlier token changes, if swapping two does not change it."""
    for name, output in before.layers.items():  # in the order in which they returned
        others = after_swap.layers.get(name), after_replacing.layers.get(name)
        if others[0] is None or others[1] is None or others[0].shape != output.shape:
            continue
        by_replacing = _distance(others[1], output)
        if by_replacing > 0:
            return name if _distance(others[0], output) <= blind * by_replacing else None
    return None


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())
