"""Changes of a recipe that several checks propose."""

from __future__ import annotations

from seqzoo.doctor.subject import Missing, Subject

__all__ = ["contiguous_lanes"]


def contiguous_lanes(subject: Subject) -> tuple[str, ...]:
    """To read contiguous lanes in place of a stream; nothing where a recipe names no stream."""
    try:
        stream = subject.recipe.train.stream
    except Missing:
        return ()
    return () if stream is None else ("train.stream=null",)
