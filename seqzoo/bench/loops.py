"""The two training loops that are compared: seqzoo's, and a simple one in plain torch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from seqzoo.data.lanes import Lanes
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import ArchitectureContext
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.specs import ArchitectureSpec, Options
from seqzoo.recipes.sections import TrainSection
from seqzoo.runs.metrics import Log
from seqzoo.terminal.console import messages, warn
from seqzoo.terminal.progress import meter
from seqzoo.training.loop import Hooks, train
from seqzoo.training.optimizers import Optimizer
from seqzoo.training.schedule import Constant
from seqzoo.training.updates import Training

__all__ = ["CONTEXT", "VOCAB_SIZE", "OwnTraining", "PlainTraining", "random_text"]

VOCAB_SIZE = 256
CONTEXT = ArchitectureContext(vocab_size=VOCAB_SIZE, builder=build_installed)


class OwnTraining:
    """Training as in a run, with metrics file and progress display."""

    def __init__(
        self,
        spec: ArchitectureSpec,
        options: Options,
        section: TrainSection,
        runtime: Runtime,
        data: np.ndarray,
    ) -> None:
        torch.manual_seed(0)
        model: SequenceModel = spec.build(options, CONTEXT).to(runtime.device)
        model.before_training(data)
        lanes = Lanes(data, batch_size=section.batch_size)
        self.training = Training(
            model,
            lanes,
            section,
            optimizer=Optimizer(model, _adamw(model, section, fused=True)),
            schedule=Constant(),
            runtime=runtime,
            bytes_per_token=1.0,
            epoch_tokens=len(data),
        )
        self._folder = tempfile.TemporaryDirectory()
        self._log = Log(Path(self._folder.name) / "metrics.jsonl", length=0, warn=warn)

    def run(self, updates: int) -> None:
        """Run that many updates. The meter is created in every call; a run creates it once."""
        last = self.training.step + updates
        with meter("bench", messages()) as display:

            def log(line: Mapping[str, float], times: Mapping[str, float]) -> None:
                self._log.append(line)
                display.show(self.training.progress, f"{line['bits_per_byte']:.3f}")

            hooks = Hooks(
                log,
                validate=dict,
                save=lambda is_needed: None,
                stop=lambda: self.training.step >= last,
            )
            train(self.training, hooks)

    def close(self) -> None:
        """Remove the written files."""
        self._log.close()
        self._folder.cleanup()


class PlainTraining:
    """A simple, correct training loop in plain torch; on a GPU it never waits for a number."""

    def __init__(
        self, model: nn.Module, section: TrainSection, runtime: Runtime, data: np.ndarray
    ) -> None:
        self.model = model.to(runtime.device).train()
        self.runtime = runtime
        self.clip = section.clip_norm
        self.length = section.bptt_length_at(0.0)
        # On the CPU the fused form is part of what is compared.
        self.optimizer = _adamw(model, section, fused=runtime.device.type == "cuda")
        lane = (len(data) - 1) // section.batch_size
        tokens = torch.from_numpy(data[: lane * section.batch_size].astype(np.int64))
        self.tokens = tokens.view(section.batch_size, lane).to(runtime.device)
        self.state: Any = None
        self.position = 0

    def run(self, updates: int) -> None:
        """Run that many updates."""
        for _ in range(updates):
            if self.position + self.length + 1 > self.tokens.shape[1]:
                self.position, self.state = 0, None
            window = self.tokens[:, self.position : self.position + self.length + 1]
            with self.runtime.autocast():
                logits, state = self.model(window[:, :-1], self.state)
            self.state = states.detach(state)
            targets = window[:, 1:].reshape(-1)
            loss = F.cross_entropy(logits.reshape(-1, VOCAB_SIZE).float(), targets)
            self.optimizer.zero_grad()
            loss.backward()
            if self.clip is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            self.optimizer.step()
            self.position += self.length


def random_text(num_bytes: int) -> np.ndarray:
    """Random words. What they are changes no speed; how long they are may."""
    draw = np.random.default_rng(0)
    text = draw.integers(97, 123, num_bytes).astype(np.uint8)
    text[draw.random(num_bytes) < 1 / 6] = ord(" ")
    return text


def _adamw(model: nn.Module, section: TrainSection, *, fused: bool = False) -> torch.optim.AdamW:
    """The same optimizer for both loops; seqzoo's own asks for torch's fused form."""
    rates = section.optimizer.options
    return torch.optim.AdamW(
        model.parameters(), lr=rates.learning_rate, weight_decay=rates.weight_decay, fused=fused
    )
