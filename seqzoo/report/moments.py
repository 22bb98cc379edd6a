"""Samples that a run wrote at several moments of its training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from seqzoo.regular_files import read_bytes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.metrics import MetricsLine
from seqzoo.terminal.characters import characters_of

__all__ = ["Moment", "moments"]

_MAX_SHOWN_BYTES = 700
_MAX_FILE_BYTES = 1 << 24
_NAME = re.compile(r"step-(\d{1,15})(?:-(\d{1,6}))?\.txt")


class Moment(NamedTuple):
    """A sample, and the step whose weights wrote it.

    text: its beginning. num_bytes: of the whole. bits_per_byte: of the validation at that step;
    None where there was none. is_last: written after the training, by the weights that were scored.
    """

    step: int
    text: str
    num_bytes: int
    bits_per_byte: float | None
    is_last: bool = False


def moments(
    directory: RunDirectory, metrics: Sequence[MetricsLine], *, at_most: int
) -> list[Moment]:
    """Samples in the order of training: the first, the last, and some between.

    The steps between are about evenly spaced in their logarithm, because most changes early; they
    are those with a validation, where there are enough. Files
    that cannot be read are left out, and so are links: a run of a stranger could point anywhere.
    """
    found: dict[tuple[bool, int], str] = {}
    if directory.samples.is_symlink():
        return []
    for path in sorted(directory.samples.glob("step-*.txt")):
        name = _NAME.fullmatch(path.name)
        if name is not None and name[2] in (None, "1") and not path.is_symlink():
            found[name[2] is not None, int(name[1])] = path.name
    for is_last, step in list(found):
        if not is_last and (True, step) in found:  # the same weights and the same seed
            del found[False, step]
    measured = {line.step: line.validation_bits_per_byte for line in metrics}
    shown = []
    keys = sorted(found)
    validated = [key for key in keys if key[0] or measured.get(key[1]) is not None]
    for is_last, step in _spread(validated if len(validated) >= at_most else keys, at_most):
        with suppress(OSError):
            content = read_bytes(directory.samples / found[is_last, step], limit=_MAX_FILE_BYTES)
            text = _beginning(content)
            shown.append(Moment(step, text, len(content), measured.get(step), is_last))
    return shown


def _beginning(content: bytes) -> str:
    """As much as is shown, whole characters."""
    text = ""
    size = 0
    for character, length in characters_of(content[: _MAX_SHOWN_BYTES + 4]):
        if size + length > _MAX_SHOWN_BYTES:
            return f"{text}…"
        text += character
        size += length
    return text


def _spread(keys: Sequence[tuple[bool, int]], at_most: int) -> Sequence[tuple[bool, int]]:
    """At most so many of some (is last, step), the first and the last among them."""
    if len(keys) <= at_most:
        return keys
    if at_most < 3:
        return keys[-at_most:]
    first, last = keys[0], keys[-1]
    chosen = [first]
    between = list(keys[1:-1])
    ratio = (max(between[-1][1], 1) / max(first[1], 1)) ** (1 / (at_most - 1))
    wanted = float(max(first[1], 1))
    for _ in range(at_most - 2):
        wanted *= ratio
        left = [key for key in between if key[1] > chosen[-1][1]]
        if left:
            chosen.append(min(left, key=lambda key: abs(key[1] - wanted)))
    return [*chosen, last]
