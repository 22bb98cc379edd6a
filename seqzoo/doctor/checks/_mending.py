"""Changes of a recipe that several checks propose."""

from __future__ import annotations

from seqzoo.doctor.subject import Missing, Subject

__all__ = ["contiguous_lanes", "otherwise"]


def contiguous_lanes(subject: Subject) -> tuple[str, ...]:
    """To read contiguous lanes in place of a stream; nothing where a recipe names no stream."""
    try:
        stream = subject.recipe.train.stream
    except Missing:
        return ()
    return () if stream is None else ("train.stream=null",)


def otherwise(subject: Subject, before: str) -> str:
    """The same in words, after `before`; nothing where there is no recipe."""
    if not contiguous_lanes(subject):
        return ""
    return f"{before}in the recipe, leave train.stream out to read contiguous lanes"
