"""The cost of every byte of splits or files, as CSV on stdout."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from seqzoo.plugin.span import Span
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.text import costs_of
from seqzoo.scoring.static import Protocol
from seqzoo.scoring.tally import CostOfEachByte
from seqzoo.terminal.cells import csv_cell
from seqzoo.terminal.characters import character_starts
from seqzoo.terminal.console import note
from seqzoo.terminal.streams import write_data

__all__ = ["print_costs"]

_LINES_AT_ONCE = 10_000


def print_costs(
    experiment: Experiment, splits: Mapping[str, Span], protocol: Protocol, *, is_corpus: bool
) -> None:
    """A line for each byte that is scored; the score of each split is a message.

    is_corpus: whether the splits are those of the corpus, which must not have changed.
    """
    write_data("name,offset,byte,character,bits")
    for name, span in splits.items():
        tally = costs_of(experiment, span, protocol)
        if is_corpus:
            experiment.data.require_unchanged()
        for start in range(0, tally.num_bytes, _LINES_AT_ONCE):
            write_data(_lines(name, span, tally, start))
        note(f"{name}: {tally.bits_per_byte:.4f} bits per byte, {tally.num_bytes:,} bytes")


def _lines(name: str, span: Span, tally: CostOfEachByte, start: int) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    bits = tally.bits[start : start + _LINES_AT_ONCE].tolist()
    end = start + len(bits)
    data = span.bytes[start:end].tolist()
    around = character_starts(span.bytes[max(0, start - 3) : end + 3].tobytes())
    shown = [csv_cell(character or "") for character in around[min(start, 3) :]]
    label = csv_cell(name)
    writer.writerows(
        (label, offset, byte, character, cost)
        for offset, (byte, character, cost) in enumerate(
            zip(data, shown[: len(data)], bits, strict=True), start
        )
    )
    return text.getvalue()
