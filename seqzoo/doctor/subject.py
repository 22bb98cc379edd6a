"""What a check may look at: a model, the batches it is trained on, and all that belongs to them.

Every attribute raises `Missing` where this visit has no such thing, which ends the check as
skipped, with the reason. What takes time is made when first asked for, and once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.data.corpus import Data
from seqzoo.doctor.evidence.loss_form import InItsForm
from seqzoo.doctor.evidence.measure import rows_of
from seqzoo.doctor.evidence.missing import Failures, Missing, Unusable, cause_of
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
    from seqzoo.runs.reopen import Trained

__all__ = ["Missing", "Pipeline", "Subject", "Unusable", "cause_of"]

T = TypeVar("T")

_PAUSE_S = 0.003
_HELD_OUT_TOKENS = 32_768


class Subject:
    """One visit: what is known of a recipe, of a run, or of someone's own model and batches."""

    def __init__(
        self,
        *,
        title: str,
        registry: Registry,
        quick: bool = False,
        seed: int = 1,
        seconds: float = 12.0,
        recipe: Recipe | None = None,
        run: Trained | None = None,
        metrics: Sequence[Mapping[str, float]] = (),
        data: Data | None = None,
        tokenizer: Tokenizer | None = None,
        tokens: npt.NDArray[Any] | None = None,
        held_out: npt.NDArray[Any] | None = None,
        is_held_out_apart: bool = True,
        bytes_per_token: float = 1.0,
        vocab_size: int | None = None,
        network: Callable[[], Network] | None = None,
        pipeline: Callable[[], Pipeline] | None = None,
        use_cache: bool = True,
        watch: Callable[[float], None] = lambda share: None,
    ) -> None:
        """seconds: of the trial. tokens: of the training split. held_out: of the validation split.
        is_held_out_apart: whether training must not read it; else it is the text's own end.

        metrics: the lines a run has logged. network, pipeline: called when first asked for.
        watch: hears the share of something long that is done.
        """
        self.title = title
        self.registry = registry
        self.quick = quick
        self.seed = seed
        self.seconds = seconds
        self.is_trained = run is not None
        self.bytes_per_token = bytes_per_token
        self.metrics = metrics
        self.watch = watch
        self._recipe = recipe
        self._run = run
        self._data = data
        self._tokenizer = tokenizer
        self._tokens = tokens
        self._held_out = held_out
        self.is_held_out_apart = is_held_out_apart
        self._vocab_size = vocab_size
        self._network = network
        self._pipeline = pipeline
        self._use_cache = use_cache
        self._failures = Failures()

    @property
    def recipe(self) -> Recipe:
        """The recipe, a run's included."""
        return _given(self._recipe, "there is no recipe")

    @property
    def run(self) -> Trained:
        """The run, its best weights loaded."""
        return _given(self._run, "there is no run yet")

    @property
    def data(self) -> Data:
        """Corpus and splits."""
        return _given(self._data, "no corpus was given")

    @property
    def tokenizer(self) -> Tokenizer:
        """As training uses it, its learning done."""
        return _given(self._tokenizer, "there is no tokenizer; batches are tokens already")

    @property
    def tokens(self) -> npt.NDArray[Any]:
        """(N,) tokens of the training split."""
        return _given(self._tokens, "no corpus was given")

    @property
    def held_out(self) -> npt.NDArray[Any]:
        """(M,) tokens of the validation split, the first 32,768 at most."""
        return _given(self._held_out, "no corpus was given, so nothing is held out")[
            :_HELD_OUT_TOKENS
        ]

    @property
    def vocab_size(self) -> int:
        """V: the tokenizer's, or the width of the logits."""
        if self._vocab_size is None:
            network = self.network

            def width() -> int:
                with torch.no_grad():
                    copy = network.copied()
                    logits, _ = copy(torch.zeros(1, 2, dtype=torch.int64))
                    return logits.shape[-1]

            self._vocab_size = self._failures.made(
                width, "the model cannot be called", told_by="model.contract"
            )
        return self._vocab_size

    @cached_property
    def network(self) -> Network:
        """The model: a run's best weights, one's own as given, a recipe's newly initialised."""
        build = _given(self._network, "no model was given")
        network = self._failures.made(build, "the model cannot be built", told_by="model.contract")
        network = replace(network, loss=InItsForm(network.loss))
        with suppress(Missing):
            return replace(network, longest=self.pipeline.longest_pass)
        return network

    @property
    def pipeline(self) -> Pipeline:
        """Where batches come from; the first could be read."""
        return self._opened[0]

    @property
    def batch(self) -> Batch:
        """The first batch that training would see, copied; padding among its targets is filled."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Pipeline, Batch]:
        make = _given(self._pipeline, "no batches were given")

        def opened() -> tuple[Pipeline, Batch]:
            pipeline = make()
            return pipeline, pipeline.first()

        return self._failures.made(opened, "the batches cannot be read", told_by="stream.contract")

    @cached_property
    def sample(self) -> Batch:
        """Real text for the model, (4, up to 64): of the training split, else of the batches."""
        rows, length = 4, 64
        with suppress(Missing):
            if len(self.tokens) > rows * (length + 1):
                return Batch(*rows_of(self.tokens[: rows * length + 1], rows), restarts=True)
        whole = self.batch
        return Batch(whole.inputs[:rows, :length], whole.targets[:rows, :length], restarts=True)

    @cached_property
    def recording(self) -> Recording:
        """Consecutive batches, read at the pace of training."""
        pipeline = self.pipeline
        return self._failures.made(
            lambda: self._record(pipeline.source()),
            "the batches cannot be read on",
            told_by="stream.contract",
        )

    @cached_property
    def queued_recording(self) -> Recording:
        """The same with a thread that reads ahead, as many training loops have one."""
        pipeline = self.pipeline

        def queued() -> Recording:
            with Prefetched(pipeline.source()) as source:
                return self._record(source)

        return self._failures.made(
            queued, "the batches cannot be read ahead by a thread", told_by="stream.contract"
        )

    @cached_property
    def trial(self) -> Trial:
        """A newly initialised network after a short training on the real batches."""
        if self.quick:
            raise Missing("left out of the quick mode: it takes a short training")
        # Looked up first, so that what is missing is said at once.
        pipeline, network = self.pipeline, self.network
        held_out = None
        with suppress(Missing):
            held_out = self.held_out
        steps = 20_000
        return self._failures.made(
            lambda: run_trial(
                pipeline.trainee(network.fresh(self.seed), steps=steps),
                held_out,
                seconds=self.seconds,
                tokens_per_update=pipeline.batch_size * pipeline.bptt_length,
                max_steps=steps,
                watch=self.watch,
            ),
            "the short training broke off",
        )

    @property
    def learnt(self) -> Network:
        """A network that has learnt something: the run's, or else the trial's."""
        return self.network if self.is_trained else self.trial.network

    @cached_property
    def threads(self) -> int:
        """How many threads this visit computes with, see `faster_thread_count`."""
        if self._network is None or self._pipeline is None:
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
            wanted=lambda spec: spec.guesses,
        )

    def random_tokens(self, rows: int, length: int) -> torch.Tensor:
        """(rows, length) tokens that real text holds, drawn from the subject's seed.

        Where there is no text, or one of a single token, tokens of the whole vocabulary.
        """
        try:
            known = torch.from_numpy(np.unique(self.sample.inputs.numpy()))
        except Missing:
            known = torch.empty(0)
        with suppress(Missing):
            known = known[known < self.vocab_size]
        if len(known) < 2:
            known = torch.arange(self.vocab_size)
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randint(len(known), (rows, length), generator=generator)
        return known[drawn]

    def _record(self, source: Source) -> Recording:
        pipeline = self.pipeline
        # Enough for a queue of ten to turn over many times where batches are small.
        count = 256 if pipeline.bptt_length < 16 else 48
        return record(source, count, pause_s=_PAUSE_S, numbered=pipeline.numbered)


def _given(value: T | None, reason: str) -> T:
    if value is None:
        raise Missing(reason)
    return value
