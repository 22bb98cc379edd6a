"""The laws of corpora. One whose bytes are not available on this machine is skipped."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from seqzoo.errors import CorpusUnavailable, SeqzooError, UsageError
from seqzoo.interpreter import in_another_process
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import CorpusContext
from seqzoo.plugin.corpus import Corpus
from seqzoo.plugin.specs import CorpusSpec
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.home import Home
from seqzoo.testing.law import Law, law, require
from seqzoo.testing.materials import words

__all__ = ["GIVEN", "LAWS"]


class GIVEN(Given[CorpusSpec]):
    """A corpus with one choice of options."""

    def accept(self) -> None:
        """Options are checked without opening anything, which can take long."""

    def build(self) -> Corpus:
        """The opened corpus; relative paths start in a folder with one text."""
        try:
            return self.opened()
        except (CorpusUnavailable, UsageError) as error:
            raise NotHere(f"not available here: {error}") from error

    def opened(self) -> Corpus:
        """The opened corpus. Raises what `open` raises."""
        base = Path(_folder().name)
        return self.spec.open(self.options, CorpusContext(base=base, builder=build_installed))


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder with a text, for corpora that ask for the user's own; it is removed at exit."""
    folder = tempfile.TemporaryDirectory(prefix="seqzoo-laws-")
    (Path(folder.name) / "corpus.txt").write_bytes(words(5000))
    return folder


@law(
    "corpus.opens",
    says="`open` gives a `Corpus`, or raises CorpusUnavailable or UsageError with one sentence",
    cause="an error of the network or of a file that is passed on as it is",
    is_gate=True,
)
def _opens(given: GIVEN) -> None:
    try:
        corpus = given.opened()
    except SeqzooError as error:
        message = str(error)
        is_known = isinstance(error, (CorpusUnavailable, UsageError))
        require(is_known, f"it raised {type(error).__name__}: {message[:80]}")
        is_sentence = "\n" not in message and message.endswith((".", "?"))
        require(is_sentence, f"the message is no sentence: {message[:80]!r}")
        raise NotHere(f"not available here: {message}") from error
    require(isinstance(corpus, Corpus), f"`open` returned a {type(corpus).__name__}")
    require(len(corpus.data) > 0, "it has no bytes")
    require(bool(corpus.name and corpus.origin), "name or origin is empty")


@law(
    "corpus.read_only",
    says="its bytes cannot be written",
    cause="an array from `np.array` or `bytearray`; set `data.flags.writeable = False`, or use "
    "`np.frombuffer` of bytes or `np.memmap(mode='r')`",
)
def _read_only(given: GIVEN) -> None:
    require(not given.build().data.flags.writeable, "`data` is writeable")


@law(
    "corpus.same_bytes",
    says="it has the same bytes each time it is opened, also in another process",
    cause="a random order without a seed, the order of a set or of a folder, or the clock",
)
def _same_bytes(given: GIVEN) -> None:
    first, again = given.build(), given.build()
    require(
        len(first.data) == len(again.data),
        f"{len(first.data)} bytes, and {len(again.data)} when it is opened again",
    )
    here = _hash(first)
    place = int((first.data != again.data).argmax())
    require(here == _hash(again), f"byte {place} differs when it is opened again")
    if given.home is None:
        return
    there = in_another_process(
        hash_elsewhere,
        {
            "value": given.home.value,
            "is_file": given.home.is_file,
            "name": given.spec.name,
            "options": given.options.model_dump(mode="json"),
            "folder": _folder().name,
        },
    )
    require(there == here, "another process with another hash seed has other bytes")


def hash_elsewhere(
    value: str, is_file: bool, name: str, options: dict[str, Any], folder: str
) -> str:
    """The hash of the bytes that this process opens."""
    spec: Any = Home(value, is_file).spec("corpus", name)
    corpus = spec.open(spec.options.model_validate(options), CorpusContext(base=Path(folder)))
    return _hash(corpus)


def _hash(corpus: Corpus) -> str:
    return hashlib.sha256(corpus.data.tobytes()).hexdigest()


@law(
    "corpus.code_lengths",
    says="`code_lengths`, where the source is known, are finite and not negative, add up over any "
    "cut, and are not all zero",
    cause="a floor of 0 bits, which every model would beat; or lengths that depend on where the "
    "question begins",
)
def _code_lengths(given: GIVEN) -> None:
    corpus = given.build()
    if corpus.code_lengths is None:
        raise NotHere("its source is not known")
    size = len(corpus.data)
    start, stop = size // 2, min(size, size // 2 + 1000)
    bits = corpus.code_lengths(start, stop)
    require(
        isinstance(bits, np.ndarray) and bits.dtype == np.float64 and bits.shape == (stop - start,),
        f"`code_lengths` gives {getattr(bits, 'dtype', type(bits).__name__)} of shape "
        f"{getattr(bits, 'shape', ())} for {stop - start} bytes, expected float64",
    )
    require(
        bool(np.isfinite(bits).all() and (bits >= 0).all()), "a length is negative or not finite"
    )
    require(bool(bits.sum() > 0), f"{stop - start} bytes cost 0 bits together")
    middle = (start + stop) // 2
    parts = np.concatenate([corpus.code_lengths(start, middle), corpus.code_lengths(middle, stop)])
    require(
        np.allclose(parts, bits, rtol=1e-9, atol=1e-9),
        f"cut at {middle}, byte {start + int(np.abs(parts - bits).argmax())} has another length",
    )


LAWS: tuple[Law, ...] = (_opens, _read_only, _same_bytes, _code_lengths)
