"""A passage and units of a run as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from seqzoo.comparison.page import Table
from seqzoo.pages.text import coloured, token_label
from seqzoo.report.correlations import unread_leaves
from seqzoo.report.passage import TokenRead, passage_of, read_passage
from seqzoo.report.units import FollowingUnit, activations, following_units
from seqzoo.runs.experiment import Experiment
from seqzoo.terminal.characters import character_starts, one_line
from seqzoo.terminal.costs import cost_level

__all__ = [
    "ShownPassage",
    "ShownToken",
    "ShownUnit",
    "ShownUnits",
    "shown_passage",
    "shown_units",
    "token_labels",
]

_PASSAGE_BYTES, _UNIT_BYTES = 420, 500
_NUM_GUESSES, _NUM_SURPRISES, _NUM_UNITS = 5, 10, 8
_BEFORE_BYTES = 72


@dataclass(frozen=True)
class ShownToken:
    """A token of the passage. about: what is shown beside it under the pointer."""

    label: str
    level: int
    about: str
    guesses: tuple[tuple[str, str], ...]
    ends_line: bool


@dataclass(frozen=True)
class ShownPassage:
    """A passage by tokens; its tokens of the highest cost, and all, as tables."""

    tokens: list[ShownToken]
    bits_per_byte: float
    surprises: Table
    table: Table


def shown_passage(experiment: Experiment) -> ShownPassage:
    """A passage of the test part, from the beginning of a line."""
    passage = passage_of(experiment.data.splits.test, _PASSAGE_BYTES)
    tokens = read_passage(experiment, passage, num_guesses=_NUM_GUESSES)
    before = passage.data[max(0, passage.start - _BEFORE_BYTES) : passage.start].tobytes()
    labels = token_labels(tokens)
    return ShownPassage(
        [
            _shown(token, label, after)
            for token, label, after in zip(tokens, labels, [*tokens[1:], None], strict=True)
        ],
        sum(token.bits for token in tokens) / max(1, sum(len(token.text) for token in tokens)),
        _surprises(tokens, labels, before),
        Table(
            "The tokens of the passage",
            ["token", "expected", "bits"],
            [
                [label, _expected(each), f"{each.bits:.2f}"]
                for label, each in zip(labels, tokens, strict=True)
            ],
            num_texts=2,
        ),
    )


def token_labels(tokens: Sequence[TokenRead]) -> list[str]:
    """Each token as it is shown. A character of several tokens stands at the first of them."""
    starts = character_starts(b"".join(token.text for token in tokens))
    labels, begin = [], 0
    for token in tokens:
        label = token_label(token.text)
        if label.startswith("\\x"):
            own = starts[begin : begin + len(token.text)]
            found = "".join(each for each in own if each and not each.isascii())
            is_rest = own[0] == ""
            if found or is_rest:
                label = ("·" if is_rest else "") + one_line(found)
        labels.append(label)
        begin += len(token.text)
    return labels


def _shown(token: TokenRead, label: str, after: TokenRead | None) -> ShownToken:
    """A token, and the one after it: an empty line stays at the end of the line before."""
    is_empty_next = after is not None and after.text == b"\n"
    guesses = tuple(
        (token_label(guess.text), _sureness(guess.probability)) for guess in token.guesses
    )
    return ShownToken(
        label,
        cost_level(token.bits),
        f"{token_label(token.text)} cost {token.bits:.2f} bits; expected: {_expected(token)}",
        guesses,
        token.text.endswith(b"\n") and not is_empty_next,
    )


def _sureness(probability: float) -> str:
    return "sure" if probability >= 0.5 else "likely" if probability >= 0.1 else ""


def _expected(token: TokenRead) -> str:
    return ", ".join(
        f"{token_label(guess.text)} {guess.probability:.0%}" for guess in token.guesses
    )


def _surprises(tokens: Sequence[TokenRead], labels: Sequence[str], before: bytes) -> Table:
    """The tokens of the highest cost, in the order of the text. before: the text before them."""
    order = sorted(range(len(tokens)), key=lambda index: -tokens[index].bits)[:_NUM_SURPRISES]
    rows = []
    for index in sorted(order):
        earlier = before + b"".join(token.text for token in tokens[:index])
        words = earlier[-_BEFORE_BYTES:].decode("utf-8", "ignore")[-24:]
        token = tokens[index]
        rows.append(
            [
                f"…{token_label(words.encode())}" if words else "",
                labels[index],
                _expected(token),
                f"{token.bits:.1f}",
            ]
        )
    heads = ["after", "came", "expected was", "bits"]
    return Table(
        "The most surprising tokens, in the order of the passage", heads, rows, num_texts=3
    )


@dataclass(frozen=True)
class ShownUnit:
    """A unit, and a text in the colours of its activation."""

    unit: FollowingUnit
    text: Markup


@dataclass(frozen=True)
class ShownUnits:
    """Units with their texts. unread: leaves of the state that were not looked at."""

    units: list[ShownUnit]
    unread: list[str]


def shown_units(experiment: Experiment) -> ShownUnits:
    """The units that follow a feature most closely, on a text of the test part."""
    units = following_units(experiment)[:_NUM_UNITS]
    unread = unread_leaves(experiment.model, experiment.runtime)
    passage = passage_of(experiment.data.splits.test, _UNIT_BYTES)
    data = passage.bytes.tobytes()
    shown = [
        ShownUnit(unit, coloured(data, [_heat(value) for value in values]))
        for unit, values in activations(experiment, passage, units).items()
    ]
    return ShownUnits(shown, unread)


def _heat(value: float) -> str:
    """A class for standard deviations from the mean."""
    level = min(3, int(abs(value) / 0.6))
    return f"{'high' if value > 0 else 'low'}{level}" if level else ""
