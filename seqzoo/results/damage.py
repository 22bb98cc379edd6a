"""What is wrong with a stored record, in our own words."""

from __future__ import annotations

from pydantic import ValidationError

__all__ = ["problem_of"]


def problem_of(error: ValidationError) -> str:
    """The first mistake: what was found and what was expected; without its place."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"it is not JSON ({first['ctx']['error']})"
    if (own := first.get("ctx", {}).get("error")) is not None:  # of a validator of ours
        return str(own)
    if first["type"] == "missing":
        return "it is missing"
    found = " ".join(str(first["input"]).split())
    expected = first["msg"].replace("Input should", "it should")
    return f"found {found:.40}, and {expected[0].lower()}{expected[1:]}"
