"""What each token of a text costs a run, and the first distributions that it predicts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqzoo.data.tokens import encode_span
from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import in_float64, in_inference_mode
from seqzoo.plugin.span import Span
from seqzoo.runs.experiment import Experiment
from seqzoo.scoring.static import Protocol, score_split
from seqzoo.scoring.tally import Tally

__all__ = ["first_distributions", "nats_of_tokens"]

_FIRST_TOKENS = 64


def nats_of_tokens(
    experiment: Experiment, span: Span, protocol: Protocol
) -> npt.NDArray[np.float64]:
    """(N,) the cost of each token that is scored, in the order in which the lanes are read.

    The order is the same for all models with the same tokenizer.
    """
    split = protocol.reader(experiment.tokenizer, span)
    tally, total = _CostOfEachToken(split.text.data), len(split.text.tokens)
    with (
        enough_memory("scoring", experiment.runtime.device, dict),
        experiment.display.meter("scoring") as meter,
    ):
        score_split(
            experiment.model,
            split,
            runtime=experiment.runtime,
            chunk_length=protocol.chunk_length,
            advance=lambda _: meter.show(tally.tokens / total, "validation"),
            tally=tally,
        )
    nats: npt.NDArray[np.float64] = np.concatenate(tally.kept) * np.log(2)
    return nats


def first_distributions(experiment: Experiment, span: Span) -> Tensor:
    """(T, V) float64, what the model gives each token at the beginning of a text."""
    tokens = encode_span(experiment.tokenizer, span.first(_FIRST_TOKENS)).tokens.astype(np.int64)
    with in_inference_mode(experiment.model), experiment.runtime.autocast():
        inputs = torch.from_numpy(tokens)[None].to(experiment.runtime.device)
        logits, _ = experiment.model(inputs)
    return in_float64(logits[0]).softmax(-1).cpu()


class _CostOfEachToken(Tally):
    """A tally that also keeps the bits of every token, in the order in which they are added."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        super().__init__(data)
        self.kept: list[npt.NDArray[np.float64]] = []

    def add(
        self,
        bits: npt.NDArray[np.float64],
        hits: npt.NDArray[np.bool_],
        *,
        positions: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int64],
        distances: npt.NDArray[np.int64],
    ) -> None:
        """Add tokens, and keep their bits."""
        super().add(bits, hits, positions=positions, lengths=lengths, distances=distances)
        self.kept.append(bits)
