"""One training in several processes, which torchrun starts: each has its rows of every batch.

Rank r of W has rows r B / W to (r + 1) B / W. So the batch is the same for every W, and the state
that is carried along a row never leaves its rank. DistributedDataParallel is not used: it acts when
`forward` is called, and training calls `forward_in_training`; and the order of its sums depends on
how it divides the parameters (pytorch/pytorch#36871).
"""

from __future__ import annotations

import functools
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn

from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.model.memory import is_out_of_memory
from seqzoo.plugin.contracts import Batch
from seqzoo.torchrun import Place
from seqzoo.training.rank_store import PATIENCE, READY, not_connected, part_of, store_of

__all__ = [
    "LostRank",
    "Ranks",
    "rank_of_generators",
    "require_rows_for_all",
]


class LostRank(EnvironmentFault):
    """Another process of the training has ended."""


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

    def __init__(self, place: Place, store: dist.Store) -> None:
        self.rank, self.count = place.rank, place.count
        self.in_order = True
        self.again = ""
        self.asks_to_stop: Callable[[], bool] = lambda: False
        self.all_stop = False
        self._store = store
        self._group: Any = None
        self._parent = os.getppid()

    @classmethod
    def join(cls, place: Place) -> Ranks:
        """Connect all processes; rank 0 calls this when all is prepared. Raises NotConnected."""
        store = store_of(place)
        if place.rank == 0:
            store.set(READY, "")
        try:
            dist.init_process_group(
                "gloo",
                store=part_of(store, "group"),
                rank=place.rank,
                world_size=place.count,
                timeout=PATIENCE,
            )
        except RuntimeError as error:
            raise not_connected(error) from error
        return cls(place, store)

    def use(self, device: torch.device, *, in_order: bool) -> None:
        """Where the gradients are, and how they are added up; called by all ranks."""
        self.in_order = in_order
        if device.type == "cuda":
            self._group = dist.new_group(backend="nccl", timeout=PATIENCE)

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
        # Without torchrun nobody would end these processes.
        is_asking = self.asks_to_stop() or os.getppid() != self._parent
        flags = torch.tensor([float(is_asking), *has], dtype=kind, device=scalars.device)
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
        with _others_are_there(self):
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def array_from_first(self, array: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """The array of rank 0, on every rank; without a copy of it on the way."""
        form = self.from_first(None if array is None else (array.dtype.str, array.shape))
        if array is None:
            array = np.empty(form[1], dtype=form[0])
        with warnings.catch_warnings(), _others_are_there(self):
            warnings.simplefilter("ignore")  # it may be read-only, and rank 0 only reads it
            content = torch.from_numpy(np.ascontiguousarray(array).view(np.uint8).reshape(-1))
            dist.broadcast(content, src=0)
        return array

    def require_same(self, model: nn.Module) -> None:
        """Compare the weights of all ranks. Raises EnvironmentFault on rank 0 if they differ."""
        found = self._gathered(_hashes_of(model))
        if found is None:
            return
        parameters = dict(model.named_parameters())
        for rank, hashes in enumerate(found):
            for name, digest in hashes.items():
                if digest != found[0][name]:
                    raise EnvironmentFault(_difference(rank, name, name in parameters))

    def collected(
        self, carried: Mapping[str, Tensor], generators: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The carried state of all rows, and the random generators of all ranks, on rank 0."""
        ours = ({path: leaf.cpu() for path, leaf in carried.items()}, dict(generators))
        found = self._gathered(ours)
        if found is None:
            return dict(carried), dict(generators)
        rows = {path: torch.cat([each[path] for each, _ in found]) for path in carried}
        every = dict(generators)
        for rank, (_, states) in enumerate(found[1:], start=1):
            every |= {f"rank-{rank}.{name}": state for name, state in states.items()}
        return rows, every

    def _gathered(self, ours: Any) -> list[Any] | None:
        """What all ranks give, on rank 0; None on the others."""
        found: list[Any] | None = [None] * self.count if self.is_first else None
        with _others_are_there(self):
            dist.gather_object(ours, found)
        return found

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
        if not self.in_order:
            with _others_are_there(self):
                dist.all_reduce(buffer, group=self._group)
            return buffer
        parts = torch.empty(self.count, len(buffer), dtype=buffer.dtype, device=buffer.device)
        with _others_are_there(self):
            dist.all_gather(list(parts.unbind()), buffer, group=self._group)
        total = parts[0]
        for part in parts[1:]:
            total += part
        return total


@contextmanager
def _others_are_there(ranks: Ranks) -> Iterator[None]:
    """Raises LostRank where the work inside fails because another process has ended."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        again = f" Continue it with: {ranks.again}" if ranks.again else ""
        raise LostRank(
            f"another process of this training has ended, so all of them end; the run is saved up "
            f"to its newest checkpoint.{again}"
        ) from error


def rank_of_generators(generators: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The random generators of one rank in those that `Ranks.collected` gives."""
    if rank == 0:
        return {name: state for name, state in generators.items() if "rank-" not in name}
    own = f"rank-{rank}."
    return {k.removeprefix(own): v for k, v in generators.items() if k.startswith(own)}


def _hashes_of(model: nn.Module) -> dict[str, bytes]:
    return {
        name: hashlib.sha256(
            tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        ).digest()
        for name, tensor in model.state_dict().items()
    }


def _difference(rank: int, name: str, is_parameter: bool) -> str:
    if is_parameter:
        return (
            f"'{name}' of rank {rank} is not that of rank 0, although both have made the same "
            f"updates; a device may be faulty, or a plugin depends on the process."
        )
    return (
        f"the buffer '{name}' depends on the rows that a process has read, so this model can be "
        f"trained in one process only."
    )
