"""Whether the weights are put back, between two steps, to what they were at an earlier step."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Returns"]


class Returns:
    """Follows one small parameter through the steps.

    changed: how often it was another one than after the newest step. returned: how often it was
    then what it had been before.
    """

    def __init__(self, parameter: Tensor | None) -> None:
        self._parameter = parameter
        self._known = [] if parameter is None else [parameter.detach().clone()]
        self.changed = self.returned = 0

    def step_begins(self) -> None:
        """A step is about to be made."""
        if self._parameter is None or len(self._known) < 2:
            return
        now = self._parameter.detach()
        if not torch.equal(now, self._known[-1]):
            self.changed += 1
            self.returned += any(torch.equal(now, each) for each in self._known[:-1])

    def step_ends(self) -> None:
        """A step was made."""
        if self._parameter is not None:
            self._known.append(self._parameter.detach().clone())
