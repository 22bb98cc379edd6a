"""One sentence for a tensor of a wrong shape, where padding or broadcasting would hide it."""

from __future__ import annotations

from torch import Tensor

__all__ = ["expect_shapes"]


def expect_shapes(function: str, **tensors: tuple[Tensor | None, str]) -> None:
    """Check tensors against shapes such as "B T D"; a letter is the same number everywhere.

    A digit is itself, and None is a tensor that was left out. Raises ValueError.
    """
    sizes: dict[str, int] = {}
    for name, (tensor, letters) in tensors.items():
        if tensor is None:
            continue
        shape, expected = tensor.shape, letters.split()
        known = [
            int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
            for letter, size in zip(expected, shape, strict=False)
        ]
        if len(shape) != len(expected) or list(shape) != known:
            meaning = ", ".join(
                f"{letter} = {sizes[letter]}" for letter in expected if letter in sizes
            )
            raise ValueError(
                f"{function}: {name} has the shape {tuple(shape)}, expected ({', '.join(expected)})"
                + (f" with {meaning}, as in the tensors before it." if meaning else ".")
            )
