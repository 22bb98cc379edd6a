"""Seconds as a clock shows them."""

from __future__ import annotations

__all__ = ["clock"]


def clock(seconds: float) -> str:
    """95 to 1:35, 4000 to 1:06:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
