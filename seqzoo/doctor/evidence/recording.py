"""Batches, copied as they arrive, and whether the originals change later."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from seqzoo.plugin.contracts import Batch

__all__ = ["Prefetched", "Recording", "Source", "record"]

_MOST_WITH_ONE_BEGINNING = 0.5


@dataclass(frozen=True)
class Source:
    """Where batches come from.

    take: returns the next batch as it is handed out; raises StopIteration if there is none.
    read: copies the present content of such a batch.
    """

    take: Callable[[], Any]
    read: Callable[[Any], Batch]


@dataclass(frozen=True)
class Recording:
    """Consecutive batches.

    batches: their content on arrival; negative targets are padding. changed: whether the batch that
    was handed out has another content at the end. numbered: tokens are positions (token n is the
    n-th of its text), so that nothing matches by chance.
    """

    batches: tuple[Batch, ...]
    changed: tuple[bool, ...]
    numbered: bool

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def length(self) -> int:
        """T of the longest batch."""
        return max(batch.inputs.shape[1] for batch in self.batches)

    @property
    def chance(self) -> float:
        """How often two tokens drawn from the recording are the same."""
        if self.numbered:
            return 0.0
        return _chance(torch.cat([batch.inputs.flatten() for batch in self.batches]))

    @property
    def chance_of_beginnings(self) -> float:
        """How often two rows begin with the same token; 1 if all begin with one mark."""
        return _chance(torch.cat([batch.inputs[:, 0] for batch in self.batches]))

    @property
    def has_one_beginning(self) -> bool:
        """Whether most rows begin with one token: it may be a mark that also ends them."""
        return self.chance_of_beginnings > _MOST_WITH_ONE_BEGINNING

    def pairs(self) -> list[tuple[Batch, Batch]]:
        """Each batch and the one after it, if they have the same number of rows."""
        pairs = zip(self.batches, self.batches[1:], strict=False)
        return [(one, other) for one, other in pairs if len(one.inputs) == len(other.inputs)]

    def carried_on(self) -> Recording:
        """The same batches without a reset of the state."""
        batches = (replace(b, restarts=torch.zeros_like(b.restarts)) for b in self.batches)
        return replace(self, batches=tuple(batches))

    def joints(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each batch after the first: targets (B,) that the batch before it ended with, inputs
        (B,) that it begins with, and the rows (B,) whose state is reset between them.
        """
        return [
            (before.targets[:, -1], after.inputs[:, 0], after.restarts)
            for before, after in self.pairs()
        ]


class Prefetched:
    """A source read ahead by a thread, as training loops and data loaders do.

    It does what Keras 1 did: it queues ten references, and sleeps while the queue is full.
    """

    def __init__(self, source: Source, *, depth: int = 10, sleep_s: float = 0.05) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()
        self._depth, self._sleep_s = depth, sleep_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(source.take,), daemon=True)
        self.source = Source(self._take, source.read)

    def __enter__(self) -> Source:
        self._thread.start()
        return self.source

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        # Until the item that it waits for has arrived: a later reader would compete with it.
        self._thread.join(timeout=10.0)

    def _fill(self, take: Callable[[], Any]) -> None:
        while not self._stop.is_set():
            try:
                item: Any = take()
            except BaseException as error:
                item = error
            while self._queue.qsize() >= self._depth and not self._stop.is_set():
                time.sleep(self._sleep_s)
            self._queue.put(item)
            if isinstance(item, BaseException):
                return

    def _take(self) -> Any:
        item = self._queue.get(timeout=30)
        if isinstance(item, BaseException):
            raise item
        return item


def record(
    source: Source, count: int, *, pause_s: float, numbered: bool, seconds: float = 2.0
) -> Recording:
    """Up to `count` batches; each is kept, and all of them are read again at the end.

    pause_s: a pause after each batch, as an update would take; a thread that reads ahead needs it.
    seconds: after that time no more are read, except for the second.
    """
    handed_out, copies = [], []
    began = time.perf_counter()
    for number in range(count):
        if number >= 2 and time.perf_counter() - began > seconds:
            break
        try:
            item = source.take()
        except StopIteration:
            break
        handed_out.append(item)
        copies.append(source.read(item))
        time.sleep(pause_s)
    if not copies:
        raise ValueError("the batches end before the first")
    changed = tuple(
        not _equal(source.read(item), copy) for item, copy in zip(handed_out, copies, strict=True)
    )
    return Recording(tuple(copies), changed, numbered)


def _chance(tokens: Tensor) -> float:
    shares = torch.unique(tokens, return_counts=True)[1].double() / len(tokens)
    return float(shares.square().sum())


def _equal(first: Batch, second: Batch) -> bool:
    return torch.equal(first.inputs, second.inputs) and torch.equal(first.targets, second.targets)
