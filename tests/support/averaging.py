"""A plugin file: an architecture that averages the logits of others, which a recipe names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import seqzoo


class AverageOptions(seqzoo.Options):
    first: Annotated[seqzoo.Choice, seqzoo.Kind("architecture")] = Field(
        default=seqzoo.Choice(name="gru", options={"hidden_size": 12}),
        description="the first architecture",
    )
    second: Annotated[seqzoo.Choice | None, seqzoo.Kind("architecture")] = Field(
        default=None, description="the second architecture; null for none"
    )
    others: Annotated[tuple[seqzoo.Choice, ...], seqzoo.Kind("architecture", form="link")] = Field(
        default=(), description="further architectures"
    )
    share: float = Field(default=0.5, ge=0, le=1, description="of the first")


def build(options: AverageOptions, context: seqzoo.ArchitectureContext) -> seqzoo.SequenceModel:
    import torch
    from torch import nn

    class Average(seqzoo.SequenceModel):
        def __init__(self) -> None:
            super().__init__()
            chosen = [options.first, *filter(None, [options.second]), *options.others]
            self.members = nn.ModuleList(context.build(each) for each in chosen)

        def initial_state(self, batch_size: int) -> Any:
            return tuple(member.initial_state(batch_size) for member in self.members)  # type: ignore[operator]

        def forward(self, tokens: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
            states = state or (None,) * len(self.members)
            pairs = [m(tokens, s) for m, s in zip(self.members, states, strict=True)]
            logits = torch.stack([logits for logits, _ in pairs])
            weights = torch.full((len(pairs),), (1 - options.share) / max(len(pairs) - 1, 1))
            weights[0] = options.share if len(pairs) > 1 else 1.0
            mean = (weights.view(-1, 1, 1, 1) * logits).sum(0)
            return mean, tuple(state for _, state in pairs)

    return Average()


class Echo(seqzoo.Options):
    inner: Annotated[seqzoo.Choice, seqzoo.Kind("architecture")] = seqzoo.Choice(name="echo")


def fails(options: seqzoo.Options, context: Any) -> Any:
    raise RuntimeError("no such weights")


class ListedOptions(seqzoo.Options):
    path: Path = Path("all.txt")


class FirstOptions(seqzoo.Options):
    stream: Annotated[seqzoo.Choice, seqzoo.Kind("stream")]


@seqzoo.hookimpl
def register_streams() -> Iterable[seqzoo.StreamSpec]:
    return [
        seqzoo.StreamSpec(
            name="first_of",
            summary="another stream",
            options=FirstOptions,
            open=lambda options, context: context.build(options.stream),
        ),
        seqzoo.StreamSpec(name="listed", summary="from a list", options=ListedOptions, open=fails),
    ]


@seqzoo.hookimpl
def register_architectures() -> Iterable[seqzoo.ArchitectureSpec]:
    return [
        seqzoo.ArchitectureSpec(
            name="average", summary="a mean of others", options=AverageOptions, build=build
        ),
        seqzoo.ArchitectureSpec(name="echo", summary="itself", options=Echo, build=fails),
        seqzoo.ArchitectureSpec(name="failing", summary="cannot be built", build=fails),
    ]
