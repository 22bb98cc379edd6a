"""What a card needs that is not in it: found beside the card, and compared with its hashes."""

from __future__ import annotations

from pathlib import Path

from seqzoo.cards.card import Card
from seqzoo.data.corpus import Data
from seqzoo.errors import CheckpointError, PluginError, UsageError
from seqzoo.plugin.trust import PluginFile
from seqzoo.runs.exported import weights_sha256_in

__all__ = ["require_corpus", "require_files"]


def require_files(card: Card, path: Path) -> None:
    """Raises UsageError where a plugin file or a run to start from is missing or another one.

    path: of the card. Called before any of these files is used.
    """
    for need in card.needs:
        place = path.parent / need.name
        if need.kind == "plugin file":
            try:
                found = PluginFile.read(place).sha256
            except PluginError:
                found = None
        elif need.kind == "weights":
            found = _weights_at(place, card)
        else:
            continue
        what = "the plugin file" if need.kind == "plugin file" else "the run that has the weights"
        if found is None:
            raise UsageError(
                f"{path} needs {what} {need.name} (sha256 {need.sha256[:12]}…), and there is none "
                f"at {place}; put it there."
            )
        if found != need.sha256:
            raise UsageError(
                f"{place} has sha256 {found[:12]}…, and {path} needs {what} with sha256 "
                f"{need.sha256[:12]}…; put that one there."
            )


def _weights_at(place: Path, card: Card) -> str | None:
    """The hash of the weights of a run or of an exported folder; None if there are none."""
    start = card.result.started_from
    step = start.step if start is not None and start.step is not None else 0
    try:
        return weights_sha256_in(place, step)
    except CheckpointError:
        return None


def require_corpus(card: Card, data: Data) -> None:
    """Raises UsageError if the text is another one than that of the card, or cut in other parts."""
    expected = card.result.corpus
    if data.sha256 != expected.sha256:
        raise UsageError(
            f"corpus '{data.corpus.name}' ({data.corpus.origin}) has {len(data.corpus.data):,} "
            f"bytes with sha256 {data.sha256[:12]}…, and the card is about {expected.bytes:,} "
            f"bytes with sha256 {expected.sha256[:12]}…; {_where(card)}"
        )
    if data.splits.identity != card.result.split:
        raise UsageError(
            f"corpus '{data.corpus.name}' is cut at {data.splits.identity}, and the card is about "
            f"{card.result.split}; its recipe is not that of its scores: get another copy of it."
        )


def _where(card: Card) -> str:
    if any(need.kind == "text" for need in card.needs):
        return "give the same text with --text FILE."
    return "get the same bytes."
