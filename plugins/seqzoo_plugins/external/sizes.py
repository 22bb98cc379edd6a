"""The bytes that a split adds to what a program makes of the training part.

As for the other compressors, a split's bits are 8 * (size(training + split) - size(training)), so
that what an archive says of its file cancels, up to a few bytes.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from seqzoo import Span, UsageError
from seqzoo_plugins.external.program import Limits, run_program

if TYPE_CHECKING:
    from seqzoo_plugins.external.options import ExternalOptions

_INPUT, _OUTPUT, _RESTORED = "input", "output", "restored"
"""Names in the folder in which a program runs: an archive that stores them has no other path."""

_TIME = 946_684_800
"""The start of 2000, the time of every input: archives store it, in as many bytes each time."""


_SLACK, _SLACK_BITS = 1.01, 8 * 64
"""What a whole may cost more than its parts: matches that are cut differently, and padding."""


def added_bits(
    options: ExternalOptions, training: npt.NDArray[np.uint8], splits: Mapping[str, Span]
) -> Generator[float, None, dict[str, float]]:
    """Returns the bits that each split adds to the compressed training part.

    It yields the finished share several times a second; closed there, it ends the program. One
    program runs at a time: nobody knows how much memory it needs.
    Raises UsageError where a program fails, does not give the bytes back, or takes other settings
    for larger files.
    """
    begun = time.monotonic()
    texts = [training[:0], *(span.bytes for span in splits.values())]
    num_bytes = max(1, sum(len(training) + len(text) for text in texts))
    sizes, read = [], 0
    for text in texts:
        sizing = _size(options, (training, text), begun=begun)
        try:
            while True:
                next(sizing)
                yield read / num_bytes
        except StopIteration as ended:
            sizes.append(ended.value)
        finally:
            sizing.close()
        read += len(training) + len(text)
    alone, *together = sizes
    bits = {split: 8.0 * (size - alone) for split, size in zip(splits, together, strict=True)}
    _require_one_setting(options.compress[0], bits, splits)
    return bits


def _require_one_setting(
    program: str, bits: Mapping[str, float], splits: Mapping[str, Span]
) -> None:
    """Raises UsageError where a whole costs more than its two parts.

    The second part has more to learn from in the whole, so it should cost less there. A program
    that takes other settings for larger files, such as more memory, compresses the training part
    better when a split follows: both parts are too cheap by that, and the whole is so only once.
    """
    parts = (splits.get("validation"), splits.get("test"), splits.get("held_out"))
    if None in parts:
        return
    first, second, whole = ((span.start, span.stop) for span in parts if span is not None)
    if whole != (first[0], second[1]) or first[1] != second[0]:
        return
    apart = bits["validation"] + bits["test"]
    if bits["held_out"] > _SLACK * apart + _SLACK_BITS:
        raise UsageError(
            f"'{program}' needs {bits['held_out'] / 8:,.0f} bytes for held_out and "
            f"{apart / 8:,.0f} for its parts, validation and test: it takes other settings for "
            f"larger files, so that sizes cannot be compared; choose its memory by its arguments"
        )


def _size(
    options: ExternalOptions, parts: tuple[npt.NDArray[np.uint8], ...], *, begun: float
) -> Generator[None, None, int]:
    """Returns the size of the compressed parts, in bytes; the folder is removed in every case."""
    limits = Limits(
        ends=None if options.max_seconds is None else begun + options.max_seconds,
        seconds=options.max_seconds,
        num_bytes=4 * sum(map(len, parts)) + (16 << 20),
    )
    with tempfile.TemporaryDirectory(prefix="seqzoo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        text = folder / _INPUT
        with text.open("wb") as file:
            for part in parts:
                part.tofile(file)
        os.utime(text, (_TIME, _TIME))
        compressed = yield from run_program(
            options.compress, folder, reads=_INPUT, writes=_OUTPUT, limits=limits
        )
        size = compressed.stat().st_size
        if options.decompress is not None:
            original = text.rename(folder / "original")  # the program may restore its name
            restored = yield from run_program(
                options.decompress, folder, reads=compressed.name, writes=_RESTORED, limits=limits
            )
            if not filecmp.cmp(original, restored, shallow=False):
                raise UsageError(
                    f"'{options.decompress[0]}' does not give back the bytes that "
                    f"'{options.compress[0]}' compressed; correct the two commands"
                )
        return size
