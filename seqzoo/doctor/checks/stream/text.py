"""Whether the batches have the text of the corpus, with nothing lost in reading.

Method: stretches of 24 tokens of the batches are looked up in the corpus by their pattern: for each
token, how far back the same token stood last. That does not depend on how tokens are numbered, so
ids may be bytes, places in an alphabet, or anything that numbers bytes or characters. If most are
not found, they are looked up in what usual faults make of the corpus: line ends or spaces removed
or joined, upper case lowered, both at once, bytes that the batches never have removed. Cost: a pass
over at most 4 MB of the corpus for each. Pass rule: nine in ten are found in the corpus; fail: nine
in ten are found only in a changed corpus. Warn: other line ends; and less than a tenth is found, of
inputs and of targets in rows of 24, although the ids are bytes or characters: read as those, they
have the corpus's shares of each. Everything else that is not found, such as words or pieces of
words, is not judged. Source: a parameterised match, Baker 1993, doi:10.1145/167088.167115.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqzoo.doctor.checks.stream._corpus_ids import readings
from seqzoo.doctor.checks.stream._lossy_reading import LINE_ENDS, LOSSES, LOSSES_AND_CASE, lowered
from seqzoo.doctor.checks.stream._patterns import WIDTH, patterns
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_MOST_BYTES = 1 << 22
_MOST_STRETCHES = 512
_CLEAR = 0.9
_ALMOST_NONE = 0.1
_ALIKE = 0.8
_FREQUENT = 20


def examine(subject: Subject) -> Outcome:
    if subject.has("recipe"):
        raise Missing("a recipe's tokens are made by its tokenizer (see stream.round_trip)")
    text = subject.data.corpus.data
    if len(text) > _MOST_BYTES:
        raise Missing(f"the corpus has more than {_MOST_BYTES} bytes: the batches may be elsewhere")
    recording, corpus = subject.recording, _Searched(text.tobytes())
    sought = np.unique(_stretches(recording, [batch.inputs for batch in recording.batches]))
    found = corpus.share(sought)
    if found >= _CLEAR:
        return Outcome.passed(f"{found:.0%} of the batches' stretches are in the corpus")
    if corpus.share(np.unique(_along_the_batch(recording))) >= _CLEAR:
        return _across(subject.pipeline.batch_size)
    for what, changed in LINE_ENDS.items():
        if (share := corpus.share_after(changed, sought)) >= _CLEAR:
            return _other_line_ends(what, found, share)
    for what, (lost, changed) in _losses(recording, corpus.text).items():
        if (share := corpus.share_after(changed, sought)) >= _CLEAR:
            return _failed(what, lost, found, share)
    # Shorter rows, joined, are of one text only in lanes.
    is_judged = recording.length >= WIDTH and found < _ALMOST_NONE
    if is_judged and _is_numbered_alike(recording, text):
        targets = np.unique(_stretches(recording, [batch.targets for batch in recording.batches]))
        if (share := corpus.share(targets)) < _ALMOST_NONE:
            return _another_text(max(found, share))
    raise Missing(
        f"{found:.0%} of the batches' stretches of {WIDTH} tokens are in the corpus, character for "
        f"character"
    )


class _Searched:
    """A text whose stretches are hashed when they are first asked for, and only once."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def share(self, sought: npt.NDArray[np.uint64]) -> float:
        """Of the patterns that are in it, as bytes or as characters."""
        if len(self.text) < WIDTH:
            return 0.0
        found = np.isin(sought, self._of_bytes).mean()
        if found < _CLEAR and self._of_characters is not None:
            found = max(found, np.isin(sought, self._of_characters).mean())
        return float(found)

    def share_after(
        self, changed: Callable[[bytes], bytes], sought: npt.NDArray[np.uint64]
    ) -> float:
        """The same of the text after a change; 0 if there is nothing that it changes."""
        text = changed(self.text)
        return 0.0 if text == self.text else _Searched(text).share(sought)

    @cached_property
    def _of_bytes(self) -> npt.NDArray[np.uint64]:
        return patterns(np.frombuffer(self.text, np.uint8).astype(np.int64))

    @cached_property
    def _of_characters(self) -> npt.NDArray[np.uint64] | None:
        characters = None if self.text.isascii() else _code_points(self.text)
        return None if characters is None else patterns(characters)


def _losses(recording: Recording, corpus: bytes) -> dict[str, tuple[str, Callable[[bytes], bytes]]]:
    """What may be lost; with case only if there are no more ids than characters in one case."""
    ids = torch.cat([batch.inputs.flatten() for batch in recording.batches]).unique()
    characters = lowered(corpus).decode("utf-8", errors="replace")
    with_case = LOSSES_AND_CASE if len(ids) <= len(set(characters)) else {}
    return LOSSES | with_case | _absent(recording, corpus)


def _absent(recording: Recording, corpus: bytes) -> dict[str, tuple[str, Callable[[bytes], bytes]]]:
    """The loss of frequent bytes that the batches never have, if their ids are bytes."""
    read = torch.bincount(torch.cat([b.inputs.flatten() for b in recording.batches]), minlength=256)
    if len(read) > 256:
        return {}
    shares = np.bincount(np.frombuffer(corpus, np.uint8), minlength=256) / len(corpus)
    expected = shares * int(read.sum())
    absent = [byte for byte in range(256) if expected[byte] >= _FREQUENT and not read[byte]]
    if not absent:
        return {}
    named = ", ".join(repr(chr(byte)) for byte in absent[:5]) + (", ..." if absent[5:] else "")
    removed = bytes(absent)
    return {f"{named} never occurs": (named, lambda text: text.translate(None, removed))}


def _is_numbered_alike(recording: Recording, corpus: npt.NDArray[np.uint8]) -> bool:
    """Whether ids are bytes or places in the corpus's alphabet: read so, they have its shares."""
    ids = torch.cat([batch.inputs.flatten() for batch in recording.batches]).numpy()
    shares = np.bincount(corpus[:_MOST_BYTES], minlength=256)
    shares = shares / shares.sum()
    for reading in readings(corpus, int(ids.max())):
        counts = np.bincount(reading(ids), minlength=256)
        if np.minimum(counts / len(ids), shares).sum() >= _ALIKE:
            return True
    return False


def _another_text(found: float) -> Outcome:
    return Outcome.warned(
        f"the batches have another text than the corpus: {found:.0%} of their stretches of "
        f"{WIDTH} tokens are in it, although their characters are as frequent as its own",
        why="What the doctor says of the corpus, such as what a table of counts reaches on it, is "
        "not about the text that the model learns.",
        remedy="Give corpus= the text that the batches are made of; or look for a file, a version "
        "or a cache of another text in the code that makes the batches.",
        numbers={"found": found},
    )


def _other_line_ends(what: str, found: float, share: float) -> Outcome:
    return Outcome.warned(
        f"{what} in the batches (so {share:.0%} of their stretches are found, and {found:.0%} in "
        f"the corpus as it is)",
        why="The model learns a text of another length, so bits per byte are not comparable, and "
        "a text in the corpus's own form has line ends that it never saw.",
        remedy="Read both in one way: open(path, 'rb').read(), or open(path, newline='').read(); "
        "open(path).read() turns \\r\\n into \\n. Or give corpus= the text as it was read.",
        numbers={"found": found, "found_changed": share},
    )


def _failed(what: str, lost: str, found: float, share: float) -> Outcome:
    return Outcome.failed(
        f"the batches do not have the text of the corpus: {what} (so {share:.0%} of their "
        f"stretches are found, and {found:.0%} in the corpus as it is)",
        why=f"The model never learns {lost}, cannot write them, and its scores are of another "
        "text: bits per byte are not comparable.",
        remedy="Read the file whole: open(path, 'rb').read(), or open(path, newline='').read(). "
        "Splitting into lines, strip(), split() and lower() lose characters that join() does not "
        "give back.",
        numbers={"found": found, "found_changed": share},
    )


def _stretches(recording: Recording, tokens: list[Tensor]) -> npt.NDArray[np.uint64]:
    """Hashes of patterns of stretches of rows (B, T), joined over batches if rows are shorter."""
    rows = [each for each in tokens if each.shape[1] >= WIDTH]
    if not rows:
        joined = torch.cat([each for each in tokens if len(each) == len(tokens[0])], 1)
        if joined.shape[1] < WIDTH:
            raise Missing(f"the batches have fewer than {WIDTH} tokens in a row")
        rows = [joined]
    pieces = torch.cat([row[:, i : i + WIDTH] for row in rows for i in _starts(row.shape[1])])
    kept = np.linspace(0, len(pieces) - 1, min(len(pieces), _MOST_STRETCHES)).astype(np.int64)
    chosen = pieces.numpy()[kept]
    return np.concatenate([patterns(row) for row in chosen])


def _along_the_batch(recording: Recording) -> npt.NDArray[np.uint64]:
    """Hashes of patterns of stretches along the batch axis and then along time."""
    columns = [batch.inputs.T.flatten().numpy() for batch in recording.batches]
    columns = [column for column in columns if len(column) >= WIDTH][:64]
    if not columns:
        return np.zeros(1, dtype=np.uint64)
    return np.concatenate([patterns(column)[::WIDTH] for column in columns])


def _across(rows: int) -> Outcome:
    return Outcome.failed(
        f"the text of the corpus runs along the batch axis: neighbours in a row are {rows} bytes "
        f"apart",
        why="Each row has every n-th byte of the text, in which nothing can be predicted from what "
        "stands before.",
        remedy="Cut the text into rows, text[: B * N].reshape(B, N), and take T columns of it: "
        "reshape(N, B) or view(-1, B) read across it; for (T, B) transpose the former.",
    )


def _starts(length: int) -> range:
    return range(0, length - WIDTH + 1, WIDTH)


def _code_points(text: bytes) -> npt.NDArray[np.int64] | None:
    """The characters of UTF-8 text as numbers; None for other text, or too little of it."""
    try:
        decoded = text.decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        return None
    if len(decoded) < WIDTH:
        return None
    return np.frombuffer(decoded.encode("utf-32-le"), np.uint32).astype(np.int64)
