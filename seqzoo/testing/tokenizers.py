"""The laws of tokenizers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.errors import UsageError
from seqzoo.interpreter import in_another_process
from seqzoo.model.generate import ByteStream
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import TokenizerContext
from seqzoo.plugin.contracts import Tokenizer
from seqzoo.plugin.specs import TokenizerSpec
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.home import Home
from seqzoo.testing.law import Broken, Law, law, require
from seqzoo.testing.materials import as_array, noise, words

__all__ = ["GIVEN", "LAWS"]

_TRAINING = words(3000) + "é ∀ 漢".encode()

# With the frequent pairs of English, which a tokenizer may have from elsewhere.
_ENGLISH = (
    b"The others thought that the weather would be better than in the north. 'Where are they?' "
    b"asked her mother, looking in on the ninth of them; and they answered nothing at all.\n"
)

_TEXTS: list[dict[str, Any]] = [
    {"text": text}
    for text in (
        b"",
        b"a",
        bytes(range(256)),
        _TRAINING[:200],
        _ENGLISH,
        b"\x00 ~ @ \xff\xfe \xed\xa0\x80 \xc3",  # no valid UTF-8
        "é\r\n漢 ∀x \u202e".encode(),
        b"  \n\n\t\t" + b"ab" * 20,
        noise(150),
        noise(60, seed=1) + _TRAINING[100:160],
    )
]
_LONG = [{"text": words(20_000, seed=3) + noise(3000)}]
_LONGER = [{"text": words(1 << 20, seed=3) + noise(3000)}]  # more than the blocks of a tokenizer


class GIVEN(Given[TokenizerSpec]):
    """A tokenizer with one choice of options."""

    def build(self) -> Tokenizer:
        """One that has learnt nothing."""
        return self.spec.build(self.options, TokenizerContext(builder=build_installed))

    def learnt(self) -> Tokenizer:
        """One that has learnt from a training part."""
        return self.learnt_from(as_array(_TRAINING))

    def learnt_from(self, training: npt.NDArray[np.uint8]) -> Tokenizer:
        """One that has learnt from these bytes; one that lacks a package is skipped."""
        tokenizer = self.build()
        try:
            tokenizer.learn(training)
        except UsageError as error:
            if isinstance(error.__cause__, ImportError):  # what it needs is not on this machine
                raise NotHere(str(error)) from error
            raise
        return tokenizer


@law(
    "tokenizer.calls",
    says="it can be built, can learn, and has a vocabulary; all its methods can be called",
    cause="a missing `vocab_size`, or an array where bytes are returned",
    every_option=True,
    is_gate=True,
)
def _calls(given: GIVEN) -> None:
    tokenizer = given.learnt()
    require(isinstance(tokenizer, Tokenizer), f"`build` returned a {type(tokenizer).__name__}")
    size = getattr(tokenizer, "vocab_size", None)
    require(type(size) is int and size > 0, f"`vocab_size` is {size!r} after it has learnt")
    tokens = tokenizer.encode(as_array(b"ab"))
    require(
        isinstance(tokens, np.ndarray) and tokens.ndim == 1,
        f"`encode` returned {_shown(tokens)}, expected a one-dimensional array",
    )
    text = tokenizer.decode(tokens)
    require(type(text) is bytes, f"`decode` returned {_shown(text)}, expected bytes")
    lengths = tokenizer.byte_lengths(tokens)
    require(
        isinstance(lengths, np.ndarray)
        and lengths.shape == tokens.shape
        and lengths.dtype == np.int64,
        f"`byte_lengths` returned {_shown(lengths)}, expected int64 of shape {tokens.shape}",
    )


@law(
    "tokenizer.round_trip",
    says="`decode(encode(data))` is `data` for all bytes",
    cause="text that is decoded as UTF-8 with errors ignored, or that is normalised or stripped",
    cases=_TEXTS,
    thorough_cases=[*_LONG, *_LONGER, *({"text": noise(80, seed=seed)} for seed in range(20))],
    every_option=True,
)
def _round_trip(given: GIVEN, text: bytes) -> None:
    short = given.learnt_from(as_array(b"a"))
    for tokenizer, when in (
        (given.learnt(), ""),
        (given.build(), " before it has learnt"),
        (short, " after it has learnt from one byte"),
    ):
        again = tokenizer.decode(tokenizer.encode(as_array(text)))
        require(again == text, f"{text[:40]!r} becomes {again[:40]!r}{when}")


@law(
    "tokenizer.byte_lengths",
    says="`byte_lengths` add up to the bytes of the file, and none is negative",
    cause="lengths of characters in place of bytes, or of the decoded text",
    cases=[*_TEXTS, *_LONG],
    thorough_cases=_LONGER,
    every_option=True,
)
def _byte_lengths(given: GIVEN, text: bytes) -> None:
    tokenizer = given.learnt()
    tokens = tokenizer.encode(as_array(text))
    lengths = tokenizer.byte_lengths(tokens)
    require(lengths.shape == tokens.shape, f"{lengths.shape} lengths for {tokens.shape} tokens")
    require(bool((lengths >= 0).all()), "a length is negative")
    total = int(lengths.sum())
    require(total == len(text), f"the lengths of {len(text)} bytes add up to {total}")


@law(
    "tokenizer.byte_places",
    says="the first k tokens decode to as many bytes as their `byte_lengths` say, for every k",
    cause="lengths that are right in sum and belong to other tokens, or a symbol of several tokens "
    "whose bytes are counted before its last token",
    cases=[{"text": case["text"][:180]} for case in _TEXTS],
    every_option=True,
)
def _byte_places(given: GIVEN, text: bytes) -> None:
    tokenizer = given.learnt()
    tokens = tokenizer.encode(as_array(text))
    ends = np.cumsum(tokenizer.byte_lengths(tokens))
    for count, end in enumerate(ends, start=1):
        found = tokenizer.decode(tokens[:count])
        require(
            found == text[: int(end)],
            f"the tokens up to number {count} decode to {len(found)} bytes, which end with "
            f"{found[-20:]!r}; by their lengths they are {int(end)}, which end with "
            f"{text[: int(end)][-20:]!r}",
        )


@law(
    "tokenizer.ids",
    says="ids are below `vocab_size`, in the smallest unsigned type in which it fits",
    cause="int64 from a library, or ids of special tokens above `vocab_size`",
    cases=_TEXTS,
    every_option=True,
)
def _ids(given: GIVEN, text: bytes) -> None:
    tokenizer = given.learnt()
    tokens = tokenizer.encode(as_array(text))
    expected = np.min_scalar_type(tokenizer.vocab_size - 1)
    require(
        tokens.dtype == expected,
        f"the ids are {tokens.dtype}, expected {expected} for {tokenizer.vocab_size} of them",
    )
    highest = int(tokens.max()) if len(tokens) else 0
    require(
        highest < tokenizer.vocab_size,
        f"id {highest} occurs, vocab_size is {tokenizer.vocab_size}",
    )


@law(
    "tokenizer.any_ids",
    says="any ids decode to bytes, as a model samples them: token by token as all at once",
    cause="a decoder that needs what an encoder writes, or ids of torch's type int64 refused",
    cases=[{"count": 30, "seed": seed} for seed in range(4)],
    thorough_cases=[{"count": 60, "seed": seed} for seed in range(4, 30)],
    every_option=True,
)
def _any_ids(given: GIVEN, count: int, seed: int) -> None:
    tokenizer = given.learnt()
    size = tokenizer.vocab_size
    draw = np.random.default_rng(seed)
    # The highest ids more often: escapes and other special tokens are usually there.
    tokens = np.where(
        draw.random(count) < 0.3, size - 1 - draw.integers(0, min(size, 3), count),
        draw.integers(0, size, count),
    ).astype(np.int64)  # fmt: skip
    whole = tokenizer.decode(tokens)
    require(type(whole) is bytes, f"`decode` returned {_shown(whole)}")
    stream = ByteStream(tokenizer)
    pieces = b"".join(stream.feed(int(token)) for token in tokens)
    require(
        pieces == whole,
        f"the ids {tokens.tolist()[:9]} give {whole[:30]!r} at once, {pieces[:30]!r} one by one",
    )


@law(
    "tokenizer.state",
    says="`state()` is plain JSON and all that a new tokenizer needs; `restore` refuses any other "
    "with ValueError",
    cause="a table that `learn` makes and `state` leaves out, keys that are numbers, or `restore` "
    "that takes whatever it gets",
    cases=[_TEXTS[3], _TEXTS[4], _TEXTS[2]],
    every_option=True,
)
def _state(given: GIVEN, text: bytes) -> None:
    tokenizer, other = given.learnt(), given.build()
    try:
        stored = json.dumps(tokenizer.state())
    except TypeError as error:
        raise Broken(f"`state()` is no plain JSON data: {error}") from error
    other.restore(json.loads(stored))
    require(
        other.vocab_size == tokenizer.vocab_size,
        f"vocab_size is {tokenizer.vocab_size}, restored {other.vocab_size}",
    )
    expected, found = (each.encode(as_array(text)) for each in (tokenizer, other))
    require(
        found.dtype == expected.dtype and np.array_equal(found, expected),
        f"{text[:20]!r} is {expected.tolist()[:12]}, restored {found.tolist()[:12]}",
    )
    decoded = other.decode(expected)
    require(decoded == text, f"the restored one decodes {text[:20]!r} to {decoded[:20]!r}")
    try:
        given.build().restore({"foreign": [1, 2]})
    except ValueError:
        return
    raise Broken("`restore({'foreign': [1, 2]})` raises nothing, expected ValueError")


@law(
    "tokenizer.elsewhere",
    says="another process with another hash seed learns the same, and restores the same",
    cause="an order that comes from a set, from `hash()`, from the clock or from a random number",
)
def _elsewhere(given: GIVEN) -> None:
    if given.home is None:
        raise NotHere("it exists only in this process; name its file, module or package")
    tokenizer = given.learnt()
    found = in_another_process(
        ids_elsewhere,
        {
            "value": given.home.value,
            "is_file": given.home.is_file,
            "name": given.spec.name,
            "options": given.options.model_dump(mode="json"),
            "state": dict(tokenizer.state()),
        },
    )
    expected = tokenizer.encode(as_array(_TRAINING[:400] + noise(50))).tolist()
    for how in ("learnt", "restored"):
        same = found[how] == expected
        require(same, f"{how} there, the ids are {found[how][:10]}, here {expected[:10]}")


def ids_elsewhere(
    value: str, is_file: bool, name: str, options: dict[str, Any], state: dict[str, Any]
) -> dict[str, list[int]]:
    """The ids of a text by a tokenizer that learns again and by one that is restored."""
    home = Home(value, is_file)
    spec: Any = home.spec("tokenizer", name)
    given = GIVEN(spec, spec.options.model_validate(options), home)
    restored = given.build()
    restored.restore(state)
    text = as_array(_TRAINING[:400] + noise(50))
    return {
        how: each.encode(text).tolist()
        for how, each in (("learnt", given.learnt()), ("restored", restored))
    }


@law(
    "tokenizer.argument",
    says="`learn` and `encode` take read-only arrays and do not change what they are given",
    cause="an operation in place on the data, which can be a memory-mapped file",
    every_option=True,
)
def _argument(given: GIVEN) -> None:
    writeable = np.array(as_array(_TRAINING[:300] + noise(50)))
    before = writeable.tobytes()
    tokenizer = given.learnt_from(writeable)
    require(writeable.tobytes() == before, "`learn` changed its argument")
    tokens = tokenizer.encode(writeable)
    require(writeable.tobytes() == before, "`encode` changed its argument")
    kept = tokens.copy()
    tokenizer.decode(tokens)
    tokenizer.byte_lengths(tokens)
    require(np.array_equal(tokens, kept), "`decode` or `byte_lengths` changed its argument")
    tokenizer.encode(as_array(before))


@law(
    "tokenizer.text_refused",
    says="`encode` takes bytes too, and refuses a str with TypeError",
    cause="an `encode` that is not that of a subclass of `seqzoo.Tokenizer`",
)
def _text_refused(given: GIVEN) -> None:
    tokenizer: Any = given.learnt()
    same = np.array_equal(tokenizer.encode(b"ab"), tokenizer.encode(as_array(b"ab")))
    require(same, "bytes give other ids than the array of them")
    try:
        tokenizer.encode("ab")
    except TypeError:
        return
    raise Broken("`encode('ab')` raises nothing, expected TypeError")


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"a {type(value).__name__}"


LAWS: tuple[Law, ...] = (
    _calls,
    _round_trip,
    _byte_lengths,
    _byte_places,
    _ids,
    _any_ids,
    _state,
    _argument,
    _text_refused,
    _elsewhere,
)
