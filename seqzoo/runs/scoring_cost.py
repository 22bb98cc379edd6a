"""How long it will take to score a model, measured by scoring a few chunks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

from seqzoo.data.tokens import encode_span
from seqzoo.errors import DivergedError
from seqzoo.plugin.span import Span
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.runs.experiment import Experiment
from seqzoo.scoring.adaptive import score_adaptively
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.splits import named_splits
from seqzoo.scoring.static import Protocol, score_splits
from seqzoo.terminal.format import approximate_time

__all__ = ["announce_cost", "expected_scoring_seconds"]

_CHUNKS = 3
_SCALE_SEGMENTS = 256
_WORTH_A_WORD_SECONDS = 10.0


def expected_scoring_seconds(
    experiment: Experiment,
    *,
    adaptive: AdaptiveSection | None = None,
    splits: Mapping[str, Span] | None = None,
    protocol: Protocol | None = None,
) -> float:
    """Seconds that the scores of all splits will take with the model as it is.

    adaptive: the settings of an adaptive score; None for the static one. splits: validation, test
    and held_out by default. protocol: the recipe's by default; an adaptive score has one lane.
    Reads a few chunks, in eval mode; the model, its mode and all generators are as before.
    0 for a model whose scores are not finite.
    """
    protocol = protocol or experiment.protocol
    if adaptive is not None:
        protocol = Protocol(chunk_length=adaptive.segment_length, max_bytes=protocol.max_bytes)
    spans = named_splits(experiment.data.splits) if splits is None else splits
    spans = {name: protocol.part(span) for name, span in spans.items()}
    longest = max(spans.values(), key=len)
    wanted = _CHUNKS * protocol.lanes * max(protocol.chunk_length, 64)
    # The corpus is opened only where it is read: the files of `eval --file` need none.
    training = None if adaptive is None else experiment.data.splits.training
    if training is not None and len(longest) < min(wanted, len(training)):
        # The sizes of gradients are read from whole segments of the training part, and the time
        # of one short segment, most of it not for its tokens, says nothing about theirs.
        longest = training
    enough = longest.first(wanted)
    reader = SplitReader(encode_span(experiment.tokenizer, enough), lanes=protocol.lanes)
    try:
        per_token = _seconds_per_token(experiment, reader, protocol, adaptive)
    except DivergedError:  # reported where the model is scored
        return 0.0
    per_byte = len(reader.text.tokens) / len(enough)
    tokens = _num_bytes(spans, protocol) * per_byte
    if (
        adaptive is not None and training is not None and adaptive.learning_rate
    ):  # the usual size of the gradients
        tokens += min(_SCALE_SEGMENTS * adaptive.segment_length, len(training) * per_byte)
    return per_token * tokens


def announce_cost(
    experiment: Experiment,
    *,
    adaptive: AdaptiveSection | None = None,
    static: bool = True,
    splits: Mapping[str, Span] | None = None,
    protocol: Protocol | None = None,
    remedy: str,
) -> None:
    """Say what scoring will take, if it is long. static: the static scores are made too.

    remedy: how to score less, said with it.
    """
    kinds = [None] * static + [adaptive] * (adaptive is not None)
    seconds = sum(
        expected_scoring_seconds(experiment, adaptive=kind, splits=splits, protocol=protocol)
        for kind in kinds
    )
    if seconds >= _WORTH_A_WORD_SECONDS:
        experiment.display.note(f"scoring takes {approximate_time(seconds)} ({remedy})")


def _seconds_per_token(
    experiment: Experiment,
    reader: SplitReader,
    protocol: Protocol,
    adaptive: AdaptiveSection | None,
) -> float:
    """Without the first chunk, which prepares kernels, where there is a second one."""
    ends: list[float] = [time.perf_counter()]
    tokens: list[int] = []

    def advance(name: str, count: int) -> None:
        ends.append(time.perf_counter())
        tokens.append(count)

    _score(experiment, reader, protocol, adaptive, advance)
    first = 1 if len(tokens) > 1 else 0
    return (ends[-1] - ends[first]) / max(1, sum(tokens[first:]))


def _score(
    experiment: Experiment,
    reader: SplitReader,
    protocol: Protocol,
    adaptive: AdaptiveSection | None,
    advance: Callable[[str, int], None],
) -> None:
    model, runtime = experiment.model, experiment.runtime
    if adaptive is None:
        length = protocol.chunk_length
        score_splits({"": reader}, model, runtime=runtime, chunk_length=length, advance=advance)
        return
    # Any scales do: they change what is learnt and not how long it takes.
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    scales = [torch.ones_like(parameter) for parameter in trainable]
    score_adaptively(
        model,
        {"": reader},
        runtime=runtime,
        section=adaptive,
        scales=scales if adaptive.learning_rate else None,
        advance=advance,
    )


def _num_bytes(spans: Mapping[str, Span], protocol: Protocol) -> int:
    """Bytes that are read: in one lane, splits that begin at the same byte are read together."""
    if protocol.lanes > 1:
        return sum(map(len, spans.values()))
    longest: dict[tuple[int, int], int] = {}
    for span in spans.values():
        begin = int(span.data.ctypes.data), span.start
        longest[begin] = max(longest.get(begin, 0), len(span))
    return sum(longest.values())
