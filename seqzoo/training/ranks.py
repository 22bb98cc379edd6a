"""One training in several processes, which torchrun starts: each has its rows of every batch.

Rank r of W has rows r B / W to (r + 1) B / W. So the batch is the same for every W, and the state
that is carried along a row never leaves its rank. DistributedDataParallel is not used: it acts when
`forward` is called, and training calls `forward_in_training`; and the order of its sums depends on
how it divides the parameters (pytorch/pytorch#36871).
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.plugin.contracts import Batch
from seqzoo.torchrun import Place

__all__ = ["Ranks", "rank_of_generators", "require_rows_for_all"]

_PATIENCE = timedelta(days=1)
"""One rank validates and writes while the others wait. A rank that ends is noticed at once."""

_LOOK_AGAIN_S = 0.05


def require_rows_for_all(batch_size: int, place: Place | None) -> None:
    """Raises UsageError where the rows of a batch cannot be divided between the processes."""
    if place is not None and batch_size % place.count:
        raise UsageError(
            f"train.batch_size is {batch_size}, expected a multiple of {place.count}, the number "
            f"of processes that torchrun has started: each has as many rows of a batch."
        )


class Ranks:
    """This process among those of one training.

    in_order: gradients are added up in the order of the ranks, the same in every run. again: the
    command that continues the run, for messages.
    asks_to_stop: whether this process wants to stop after the next update.
    all_stop: whether any of them wanted to before the last update.
    """

    def __init__(
        self, place: Place, store: dist.Store, *, in_order: bool = True, again: str = ""
    ) -> None:
        self.rank, self.count = place.rank, place.count
        self.in_order = in_order
        self.again = again
        self.asks_to_stop: Callable[[], bool] = lambda: False
        self.all_stop = False
        self._store = store
        self._group: Any = None

    @classmethod
    def join(
        cls, place: Place, *, should_end: Callable[[], bool] = lambda: False, **settings: Any
    ) -> Ranks:
        """Wait for rank 0, which comes when all is prepared, and then for the others.

        should_end: raises KeyboardInterrupt if it is true while rank 0 is awaited.
        """
        store, rank, count = next(iter(rendezvous("env://", timeout=_PATIENCE)))
        own = _part_of(store, "seqzoo")
        if rank == 0:
            own.set("ready", "")
        while not own.check(["ready"]):  # torch's own wait does not notice a signal
            if should_end():
                raise KeyboardInterrupt
            time.sleep(_LOOK_AGAIN_S)
        dist.init_process_group(
            "gloo",
            store=_part_of(own, "group"),
            rank=rank,
            world_size=count,
            timeout=_PATIENCE,
        )
        return cls(place, own, **settings)

    def use(self, device: torch.device) -> None:
        """Where the gradients are; called by all ranks."""
        if device.type == "cuda":
            self._group = dist.new_group(backend="nccl", timeout=_PATIENCE)

    def leave(self) -> None:
        """The training is over; each process is alone again."""
        with suppress(RuntimeError):
            dist.destroy_process_group()

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes, validates and scores."""
        return self.rank == 0

    def record(self) -> dict[str, Any]:
        """What the last bits of a result depend on; stored with every checkpoint."""
        backend = "gloo" if self._group is None else "nccl"
        return {"count": self.count, "in_order": self.in_order, "backend": backend}

    def rows_of(self, batch: Batch) -> Batch:
        """This rank's rows."""
        rows = self._rows(len(batch.inputs))
        return Batch(
            inputs=batch.inputs[rows],
            targets=batch.targets[rows],
            restarts=batch.restarts[rows],
            mask=None if batch.mask is None else batch.mask[rows],
            positions=None if batch.positions is None else batch.positions[rows],
        )

    def own(self, leaf: Tensor) -> Tensor:
        """This rank's rows of a tensor with those of all ranks."""
        return leaf[self._rows(len(leaf))].clone()

    def add_up(self, parameters: Sequence[nn.Parameter], scalars: Tensor) -> Tensor:
        """Replace gradients by their sums over all ranks, and return those of (S,) scalars.

        A parameter without a gradient on every rank has none afterwards.
        """
        kind = functools.reduce(torch.promote_types, (p.dtype for p in parameters), scalars.dtype)
        has = [float(p.grad is not None) for p in parameters]
        flags = torch.tensor([float(self.asks_to_stop()), *has], dtype=kind, device=scalars.device)
        pieces = [
            (torch.zeros_like(p) if p.grad is None else p.grad.to_dense()).to(kind).flatten()
            for p in parameters
        ]
        total = self._sum(torch.cat([flags, scalars.to(kind), *pieces]))
        first = len(flags) + len(scalars)
        stop, *wanted = total[: len(flags)].tolist()
        self.all_stop = stop > 0
        parts = total[first:].split([p.numel() for p in parameters])
        for parameter, part, flag in zip(parameters, parts, wanted, strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype) if flag else None
        return total[len(flags) : first]

    def from_first(self, value: Any = None) -> Any:
        """What rank 0 gives, on every rank."""
        box = [value]
        with self._lost_rank():
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def collected(
        self, model: nn.Module, carried: Mapping[str, Tensor], generators: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The carried state of all rows, and the random generators of all ranks, on rank 0.

        Raises EnvironmentFault where the weights of two ranks differ.
        """
        ours = (_hash_of(model), {k: v.cpu() for k, v in carried.items()}, dict(generators))
        found: list[Any] | None = [None] * self.count if self.is_first else None
        with self._lost_rank():
            dist.gather_object(ours, found)
        if found is None:
            return dict(carried), dict(generators)
        others = [rank for rank, each in enumerate(found) if each[0] != found[0][0]]
        if others:
            raise EnvironmentFault(
                f"the weights of rank {others[0]} are not those of rank 0, although both have made "
                f"the same updates; a device may be faulty, or a plugin depends on the process."
            )
        rows = {path: torch.cat([each[1][path] for each in found]) for path in carried}
        for rank, (_, _, states) in enumerate(found[1:], start=1):
            generators = {**generators, **{f"rank-{rank}.{k}": v for k, v in states.items()}}
        return rows, dict(generators)

    def claim(self) -> bool:
        """Whether this rank is the first one that has failed, and should say why."""
        try:
            return bool(self._store.add("failed", 1) == 1)
        except RuntimeError:  # torchrun itself has ended
            return True

    def _rows(self, batch_size: int) -> slice:
        each = batch_size // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def _sum(self, buffer: Tensor) -> Tensor:
        with self._lost_rank():
            if not self.in_order:
                dist.all_reduce(buffer, group=self._group)
                return buffer
            parts = torch.empty(self.count, len(buffer), dtype=buffer.dtype, device=buffer.device)
            dist.all_gather(list(parts.unbind()), buffer, group=self._group)
        return functools.reduce(torch.add, parts.unbind())

    @contextmanager
    def _lost_rank(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            again = f" Continue it with: {self.again}" if self.again else ""
            raise EnvironmentFault(
                f"another process of this training has ended, so all of them end; the run is saved "
                f"up to its newest checkpoint.{again}"
            ) from error


def rank_of_generators(generators: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The random generators of one rank in those that `Ranks.collected` gives."""
    if rank == 0:
        return {name: state for name, state in generators.items() if "rank-" not in name}
    own = f"rank-{rank}."
    return {k.removeprefix(own): v for k, v in generators.items() if k.startswith(own)}


def _part_of(store: dist.Store, name: str) -> dist.Store:
    """A part of a store with keys of its own."""
    part: dist.Store = dist.PrefixStore(name, store)  # type: ignore[attr-defined]
    return part


def _hash_of(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
