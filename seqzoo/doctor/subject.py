"""What a check may look at: a model, the batches it is trained on, and all that belongs to them.

Every attribute raises `Missing` if this examination does not have it, which ends the check as
skipped, with the reason. What takes time is made when it is first used, and only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.data.corpus import Data
from seqzoo.doctor.evidence.direction import goes_up
from seqzoo.doctor.evidence.generation import Generate
from seqzoo.doctor.evidence.given import RunSoFar, Settings, Text
from seqzoo.doctor.evidence.loss_form import AdaptedLoss
from seqzoo.doctor.evidence.measure import rows_of
from seqzoo.doctor.evidence.missing import (
    NO_RECIPE,
    NO_RUN,
    NO_TOKENIZER,
    Exhausted,
    Failures,
    Missing,
    Unusable,
    cause_of,
    or_none,
)
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.pipeline import Pipeline
from seqzoo.doctor.evidence.recording import Prefetched, Recording, Source, record
from seqzoo.doctor.evidence.threads import faster_thread_count
from seqzoo.doctor.evidence.trial import Trial, run_trial
from seqzoo.plugin.contracts import Batch, Tokenizer
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.results.ladder import Ladder
from seqzoo.scoring.baselines import ladder

if TYPE_CHECKING:
    from seqzoo.doctor.watching.visit import Visit
    from seqzoo.runs.reopen import Trained

__all__ = [
    "Missing",
    "Pipeline",
    "RunSoFar",
    "Settings",
    "Subject",
    "Text",
    "Unusable",
    "cause_of",
    "or_none",
]

T = TypeVar("T")
Part: TypeAlias = Literal[
    "recipe",
    "run",
    "data",
    "tokenizer",
    "tokens",
    "held_out",
    "network",
    "pipeline",
    "visit",
    "generate",
]

_PAUSE_S = 0.003
_HELD_OUT_TOKENS = 32_768


class Subject:
    """What is known of a recipe, of a run, or of a user's own model and batches."""

    def __init__(
        self,
        *,
        title: str,
        registry: Registry,
        settings: Settings | None = None,
        recipe: Recipe | None = None,
        run: RunSoFar | None = None,
        text: Text | None = None,
        vocab_size: int | None = None,
        network: Callable[[], Network] | None = None,
        pipeline: Callable[[], Pipeline] | None = None,
        visit: Visit | None = None,
        generate: Generate | None = None,
    ) -> None:
        """network, pipeline: called when they are first used. generate: text of the user's code."""
        settings, text = settings or Settings(), text or Text()
        self.title = title
        self.registry = registry
        self.quick = settings.quick
        self.seed = settings.seed
        self.seconds = settings.seconds
        self.watch: Callable[[float], None] = lambda share: None
        """Called with the share that is done of something that takes long."""
        self.bytes_per_token = text.bytes_per_token
        self.is_held_out_apart = text.is_held_out_apart
        self.is_trained = run is not None
        self.metrics: Sequence[Mapping[str, float]] = () if run is None else run.metrics
        self._recipe = recipe
        self._run = None if run is None else run.trained
        self._data = text.data
        self._tokenizer = text.tokenizer
        self._tokens = text.tokens
        self._held_out = text.held_out
        self._network = network
        self._pipeline = pipeline
        self._visit = visit
        self._generate = generate
        self._use_cache = text.use_cache
        self._vocab_size = vocab_size
        self._failures = Failures()

    def has(self, part: Part) -> bool:
        """Whether it was given. A model or batches that were given may still raise `Unusable`."""
        return getattr(self, f"_{part}") is not None

    @property
    def recipe(self) -> Recipe:
        """The recipe, also of a run."""
        return _given(self._recipe, NO_RECIPE)

    @property
    def run(self) -> Trained:
        """The run, with its best weights loaded."""
        return _given(self._run, NO_RUN)

    @property
    def visit(self) -> Visit:
        """What was seen of a training loop."""
        return _given(self._visit, "no training loop was watched")

    @property
    def data(self) -> Data:
        """Corpus and splits."""
        return _given(self._data, "no corpus was given")

    @property
    def tokenizer(self) -> Tokenizer:
        """As training uses it, after it has learnt from the training split."""
        return _given(self._tokenizer, NO_TOKENIZER)

    @property
    def tokens(self) -> npt.NDArray[Any]:
        """(N,) tokens of the training split."""
        return _given(self._tokens, "no corpus was given")

    @property
    def held_out(self) -> npt.NDArray[Any]:
        """(M,) tokens of the validation split, the first 32,768 at most."""
        whole = _given(self._held_out, "no corpus was given, so nothing is held out")
        return whole[:_HELD_OUT_TOKENS]

    @property
    def vocab_size(self) -> int:
        """V: of the tokenizer, or the width of the logits."""
        if self._vocab_size is None:
            network = self.network

            def width() -> int:
                with torch.no_grad():
                    logits, _ = network.copied()(torch.zeros(2, 2, dtype=torch.int64))
                    return logits.shape[-1]

            self._vocab_size = self._failures.made(
                width, "the model cannot be called", reported_by="model.contract"
            )
        return self._vocab_size

    @cached_property
    def network(self) -> Network:
        """The model: a run's best weights, the user's own, or a new one of the recipe."""
        build = _given(self._network, "no model was given")
        network = self._failures.made(
            build, "the model cannot be built", reported_by="model.contract"
        )
        pipeline = or_none(lambda: self.pipeline)
        if pipeline is None:
            return replace(network, loss=AdaptedLoss(network.loss))
        loss = AdaptedLoss(network.loss, pipeline.loss_shift)
        return replace(network, loss=loss, longest=pipeline.longest_pass)

    @property
    def pipeline(self) -> Pipeline:
        """How batches are made; the first one could be read."""
        return self._opened[0]

    @property
    def generate(self) -> Generate:
        """The user's own function that generates text."""
        return _given(self._generate, "no function that generates was given (generate=)")

    @property
    def batch(self) -> Batch:
        """The first batch of training, copied, with padding among its targets filled."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Pipeline, Batch]:
        make = _given(self._pipeline, "no batches were given")

        def opened() -> tuple[Pipeline, Batch]:
            pipeline = make()
            return pipeline, pipeline.first()

        return self._failures.made(
            opened, "the batches cannot be read", reported_by="stream.contract"
        )

    @cached_property
    def sample(self) -> Batch:
        """Real text for the model, (4, up to 64): of the training split, or of the batches."""
        rows, length = 4, 64
        tokens = or_none(lambda: self.tokens)
        if tokens is not None and len(tokens) > rows * (length + 1):
            inputs, targets = rows_of(tokens[: rows * length + 1], rows)
        else:
            whole = self.batch
            inputs, targets = whole.inputs[:rows, :length], whole.targets[:rows, :length]
        return Batch(
            inputs=inputs, targets=targets, restarts=torch.ones(len(inputs), dtype=torch.bool)
        )

    @cached_property
    def recording(self) -> Recording:
        """Consecutive batches, read at the pace of training."""
        pipeline = self.pipeline
        return self._failures.made(
            lambda: self._record(pipeline.source()),
            "the batches cannot be read on",
            reported_by="stream.contract",
        )

    @cached_property
    def queued_recording(self) -> Recording | None:
        """The same with a thread that reads ahead, as in many training loops.

        None if the batches can be read only once and have been read to their end.
        """
        pipeline = self.pipeline

        def queued() -> Recording | None:
            with Prefetched(pipeline.source()) as source:
                try:
                    return self._record(source)
                except Exhausted:
                    return None

        return self._failures.made(
            queued, "the batches cannot be read ahead by a thread", reported_by="stream.contract"
        )

    @cached_property
    def trial(self) -> Trial:
        """A newly initialised network after a short training on the real batches."""
        if self.quick:
            raise Missing("left out of the quick mode: it takes a short training")
        # Looked up first, so that what is missing is reported at once.
        pipeline, network = self.pipeline, self.network
        held_out = or_none(lambda: self.held_out)
        steps = 20_000
        return self._failures.made(
            lambda: run_trial(
                pipeline.trainer(network.fresh(self.seed), steps=steps),
                held_out,
                seconds=self.seconds,
                tokens_per_update=pipeline.batch_size * pipeline.bptt_length,
                max_steps=steps,
                watch=self.watch,
            ),
            "the short training failed",
        )

    @property
    def trained_network(self) -> Network:
        """A network that has learnt something: of the run, or of the trial."""
        return self.network if self.is_trained else self.trial.network

    @cached_property
    def maximises(self) -> bool:
        """Whether training moves the weights so that the loss rises; False if that is not known."""
        try:
            return goes_up(self.pipeline.trainer(self.network.copied(), steps=1))
        except Exception:  # model.gradients reports why no update can be made
            return False

    @cached_property
    def threads(self) -> int:
        """How many threads the examination computes with, see `faster_thread_count`."""
        if not (self.has("network") and self.has("pipeline")):
            return torch.get_num_threads()
        return faster_thread_count(self.network.copied(), self.batch)

    @cached_property
    def ladder(self) -> Ladder:
        """The baselines that guess the next byte, on the same splits."""
        data = self.data
        return ladder(
            self.registry,
            data.corpus,
            data.splits,
            corpus_sha256=data.sha256,
            use_cache=self._use_cache,
            wanted=lambda spec: spec.has_accuracy,
        )

    def skips(self, check: str) -> str:
        """Why a check of this name makes no sense for it; "" if it does."""
        return ""

    def random_tokens(self, rows: int, length: int) -> torch.Tensor:
        """(rows, length) tokens that occur in the real text, drawn with the subject's seed.

        Without text, or in one of a single token, tokens of the whole vocabulary.
        """
        sample = or_none(lambda: self.sample)
        known = torch.empty(0)
        if sample is not None:
            known = torch.from_numpy(np.unique(sample.inputs.numpy()))
        vocab_size = or_none(lambda: self.vocab_size)
        if vocab_size is not None:
            known = known[known < vocab_size]
        if len(known) < 2:
            known = torch.arange(self.vocab_size)
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randint(len(known), (rows, length), generator=generator)
        return known[drawn]

    def _record(self, source: Source) -> Recording:
        pipeline = self.pipeline
        # Enough for a queue of ten to turn over many times if batches are small.
        count = 256 if pipeline.bptt_length < 16 else 48
        return record(source, count, pause_s=_PAUSE_S, numbered=pipeline.numbered)


def _given(value: T | None, reason: str) -> T:
    if value is None:
        raise Missing(reason)
    return value
