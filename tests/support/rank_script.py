"""Trains in one process or, under torchrun, in several, and prints the losses as JSON (rank 0)."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from installed_architectures import VOCAB_SIZE, build
from made_trainings import parts_of, train_section
from tiny import RUNTIME

from seqzoo.data.lanes import Lanes
from seqzoo.errors import SeqzooError
from seqzoo.plugin.contexts import StreamContext
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.registry import load_registry
from seqzoo.torchrun import enter
from seqzoo.training.ranks import Ranks
from seqzoo.training.updates import Training

UPDATES = 50


class WithPenalty(SequenceModel):
    """Adds an auxiliary loss, and a parameter that has no gradient."""

    def __init__(self, inner: SequenceModel) -> None:
        super().__init__()
        self.inner = inner
        self.unused = torch.nn.Parameter(torch.ones(3))
        self._penalty: Any = None

    def initial_state(self, batch_size: int) -> Any:
        return self.inner.initial_state(batch_size)

    def forward(self, tokens: Any, state: Any = None) -> Any:
        logits, state = self.inner(tokens, state)
        self._penalty = logits.square().mean() * 0.01
        return logits, state

    def auxiliary_loss(self) -> Any:
        return self._penalty


def training_of(case: str) -> Training:
    registry = load_registry()
    text = np.random.default_rng(0).integers(0, VOCAB_SIZE, 3001).astype(np.uint8)
    settings: dict[str, Any] = {
        "batch_size": 6,
        "bptt_length": 8,
        "optimizer": {"name": "muon", "learning_rate": 0.003},
        "clip_norm": 0.5,
        "accumulation_steps": 2 if case == "accumulation" else 1,
        "budget": {"steps": 10**6},
    }
    section = train_section(settings)
    name = case if case in registry.names("architecture") else "gru"
    # float64, so that only the order of sums is left as a difference.
    model = build(registry.get("architecture", name), dropout=0.0).double()
    if case == "penalty":
        model = WithPenalty(model)
    stream: Any = Lanes(text, batch_size=6)
    if case in ("documents", "shifted"):  # rows that restart, and targets that do not count
        spec = registry.get("stream", case)
        starts = np.arange(0, 3001, 37)
        context = StreamContext(tokens=text, batch_size=6, documents=starts, seed=1)
        stream = spec.open(spec.options(), context)
    return Training(
        model,
        stream,
        section,
        **parts_of(model, section),
        runtime=RUNTIME,
        bytes_per_token=1.0,
        epoch_tokens=len(text),
    )


def losses_of(case: str, ranks: Ranks | None) -> list[float]:
    torch.set_num_threads(1)
    training = training_of(case)
    if ranks is not None:
        training.take_part(ranks)
    found = [training.update().loss_nats for _ in range(UPDATES)]
    training.checkpoint({})
    return found


def differing(ranks: Ranks, kind: str) -> str:
    """What the first update says where a parameter or a buffer of one rank is another."""
    training = training_of("gru" if kind == "parameters" else "ngram_lstm")
    training.take_part(ranks)
    changed = next(iter(getattr(training.model, kind)())).data
    if ranks.rank == 1:
        changed.copy_(~changed if changed.dtype == torch.bool else changed + 1)
    try:
        training.update()
    except SeqzooError as error:
        return str(error)
    return ""


def main(cases: list[str]) -> None:
    place = enter()
    if place is None:
        found: dict[str, Any] = {case: losses_of(case, None) for case in cases}
    else:
        ranks = Ranks.join(place)
        found = {case: losses_of(case, ranks) for case in cases}
        ranks.in_order = False
        found["fast"] = losses_of("gru", ranks)
        found |= {kind: differing(ranks, kind) for kind in ("parameters", "buffers")}
        ranks.leave()  # a thread of the group that still runs at the end aborts the process
    if place is None or place.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
