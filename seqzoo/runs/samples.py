"""Writes samples into a run's folder: step-N.txt while training, step-N-1.txt, ... after it."""

from __future__ import annotations

from collections.abc import Callable

from seqzoo.errors import DiskFault, SeqzooError
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.experiment import Experiment
from seqzoo.storage import is_full, write_whole

__all__ = ["SamplesInTraining", "write_samples"]

_MAX_TOKENS_IN_TRAINING = 1000
_LINE_CHARACTERS = 64


def write_samples(experiment: Experiment, directory: RunDirectory, *, step: int) -> None:
    """Write the recipe's samples of a finished run as bytes, prompt included: step-N-1.txt, ...

    Those that were written before with other settings are replaced.
    """
    section = experiment.recipe.sample
    total = section.count * section.length
    with experiment.display.meter("sampling") as meter:
        for number in range(section.count):

            def advance(tokens: int, before: int = number * section.length) -> None:
                done = before + tokens
                meter.show(done / total, f"{done:,} of {total:,} tokens")

            text = _sample(
                experiment, length=section.length, seed=section.seed + number, advance=advance
            )
            _write(directory, f"step-{step}-{number + 1}.txt", text, saved="the result is")
    ours = {f"step-{step}-{number + 1}.txt" for number in range(section.count)}
    for path in directory.samples.glob(f"step-{step}-*.txt"):
        if path.name not in ours:
            path.unlink(missing_ok=True)


class SamplesInTraining:
    """Writes a sample whenever one is due, and shows its beginning in one line.

    Training is not changed by it: sampling uses a generator of its own and an empty state. A sample
    that fails is reported once, and training continues.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: RunDirectory,
        *,
        show: Callable[[str], None],
        written: Callable[[bytes], None] = lambda text: None,
    ) -> None:
        """show: receives the beginning of a sample, and written: the whole one."""
        self._experiment = experiment
        self._directory = directory
        self._show = show
        self._written = written
        self._has_failed = False

    def after_update(self, step: int, *, is_validated: bool) -> None:
        """Write the sample of this step, if it is due."""
        if self._has_failed or not self._is_due(step, is_validated=is_validated):
            return
        section = self._experiment.recipe.sample
        length = min(section.length, _MAX_TOKENS_IN_TRAINING)
        try:
            text = _sample(self._experiment, length=length, seed=section.seed)
        except Exception as error:  # of a sampler plugin, for example
            self._has_failed = True
            cause = error if isinstance(error, SeqzooError) else f"{type(error).__name__}: {error}"
            self._experiment.display.warn(f"no more samples during training: {cause}")
            return
        saved = "the last checkpoint is"
        _write(self._directory, f"step-{step}.txt", text, saved=saved)
        self._written(text)
        self._show(_one_line(text[len(section.prompt.encode()) :]))

    def _is_due(self, step: int, *, is_validated: bool) -> bool:
        every = self._experiment.recipe.sample.every_steps
        if every is None:
            # A compiled model would be compiled again, for batches of one token.
            return is_validated and not self._experiment.recipe.runtime.compile
        return every > 0 and step % every == 0


def _sample(
    experiment: Experiment,
    *,
    length: int,
    seed: int,
    advance: Callable[[int], None] = lambda tokens: None,
) -> bytes:
    """The prompt and its continuation. advance: is called with the number of tokens so far."""
    section = experiment.recipe.sample
    prompt = section.prompt.encode()
    pieces = [prompt]
    for piece in experiment.generate(
        prompt, length=length, chain=section.chain, seed=seed, decoder=section.decoder
    ):
        pieces.append(piece)
        advance(len(pieces) - 1)
    return b"".join(pieces)


def _write(directory: RunDirectory, name: str, text: bytes, *, saved: str) -> None:
    directory.require_in_place()
    path = directory.samples / name
    try:
        write_whole(path, text)
    except OSError as error:
        raise DiskFault(
            f"{path} cannot be written: {error.strerror}",
            is_full=is_full(error),
            saved=f"{saved} saved",
        ) from error


def _one_line(text: bytes) -> str:
    """The beginning of a text in one line, its line ends shown as " / "."""
    lines = (" ".join(line.split()) for line in text.decode("utf-8", "replace").splitlines())
    joined = " / ".join(line for line in lines if line)
    shown = "".join(c if c.isprintable() else "\ufffd" for c in joined[:_LINE_CHARACTERS])
    return shown + ("…" if len(joined) > _LINE_CHARACTERS else "")
