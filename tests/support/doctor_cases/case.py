"""A case: arguments of `seqzoo.examine`, what is wrong with them, and who reported it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn

from doctor_cases.setting import Setting
from seqzoo.doctor.diagnosis import Diagnosis

__all__ = ["Arguments", "Case", "Make", "Proof", "Run"]

Arguments: TypeAlias = dict[str, Any]
Make: TypeAlias = Callable[[Setting], Arguments]
Run: TypeAlias = Callable[[bytes, int], Diagnosis]
Proof: TypeAlias = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault, or a healthy model with its batches.

    source: the public report or project, or the page that describes what it is made of.
    cause: what is wrong, in one sentence; empty if nothing is.
    named_by: checks of which one has to be among the causes, `group.*` for any of a group; empty
    if the case is healthy.
    words: patterns of which one has to occur in what that check says; () for any words.
    make: the arguments of `seqzoo.examine`. run: a training loop under `seqzoo.doctor.watch`.
    proof: shows that the fault is there, without the doctor.
    is_full: whether only the short training can show it.
    """

    name: str
    source: str
    cause: str = ""
    named_by: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    make: Make | None = None
    run: Run | None = None
    proof: Proof | None = None
    is_full: bool = False

    def __post_init__(self) -> None:
        if (self.make is None) == (self.run is None):
            raise ValueError(f"case '{self.name}' has to have either make or run")
        if bool(self.cause) != bool(self.named_by):
            raise ValueError(f"case '{self.name}' has to have both a cause and named_by, or none")

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.named_by

    def arguments(self, corpus: bytes, seed: int) -> Arguments:
        """What `seqzoo.examine` gets; another seed draws other weights, windows and sizes."""
        if self.make is None:
            raise ValueError(f"case '{self.name}' is a loop and has no arguments")
        torch.manual_seed(seed)
        arguments = self.make(Setting(corpus, seed))
        model = arguments.get("model")
        if callable(model) and not isinstance(model, nn.Module):
            arguments["model"] = _seeded(model, seed)
        return arguments


def _seeded(build: Callable[[], nn.Module], seed: int) -> Callable[[], nn.Module]:
    """The doctor sets a seed of its own before each call: this mixes the visit's seed in."""

    def built() -> nn.Module:
        torch.manual_seed(int(torch.randint(1 << 30, ())) + (seed << 31))
        return build()

    return built
