"""Runs a loop of the tests under the watch, and gives what was seen."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from watched_loops import Loop

import seqzoo
from seqzoo.doctor.watching.watch import WatchedLoop as Visit


def watched(loop: Loop, **how: Any) -> Visit:
    visits: list[Visit] = []

    def watching(model: Any, optimizer: Any = None) -> Any:
        context = seqzoo.watch(model, optimizer, show=False, **how)

        class Kept:
            def __enter__(self) -> Visit:
                visits.append(context.__enter__())
                return visits[-1]

            def __exit__(self, *error: Any) -> Any:
                return context.__exit__(*error)

        return Kept()

    torch.manual_seed(0)
    with suppress(RuntimeError, IndexError):
        loop(watching)
    return visits[0]


def said(visit: Visit) -> list[tuple[str, str]]:
    return [(each.check.name, each.outcome.seen) for each in visit.diagnosis.causes]
