"""How many threads an examination computes with."""

from __future__ import annotations

import time

import torch

from seqzoo.doctor.evidence.network import Network
from seqzoo.plugin.contracts import Batch

__all__ = ["faster_thread_count"]


def faster_thread_count(network: Network, batch: Batch) -> int:
    """1, or torch's own count if the network is faster with it: three passes of each.

    Small steps are faster on one thread, and much faster on a busy machine: threads that wait for
    each other use the processor.
    """
    most = torch.get_num_threads()
    if most == 1:
        return most
    timed = {}
    try:
        for threads in (1, most):
            torch.set_num_threads(threads)
            timed[threads] = min(_pass_s(network, batch) for _ in range(3))
    finally:
        torch.set_num_threads(most)
    return min(timed, key=lambda threads: timed[threads])


def _pass_s(network: Network, batch: Batch) -> float:
    began = time.perf_counter()
    logits, _ = network(batch.inputs)
    torch.autograd.backward(network.loss(logits, batch.targets.to(network.device)))
    return time.perf_counter() - began
