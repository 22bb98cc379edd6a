"""What a law is, and what is reported where it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Broken", "Case", "Finding", "Law", "LawBroken", "law", "require"]

Case = Mapping[str, Any]
"""The sizes with which a law is tried once: whole numbers, texts, and words."""


@dataclass(frozen=True)
class Law:
    """Something that holds for every plugin of one kind.

    name: `kind.what`; it never changes, because expected failures name it.
    says: the law in one sentence, without a full stop. cause: what usually breaks it.
    check: `check(given, **case)` raises `Broken` where the law does not hold; `given` is the
    declaration with one choice of options.
    cases: what it is tried with. thorough_cases: what it is also tried with if time is plenty.
    every_option: whether it is tried with every drawn choice of options, or only with the first.
    is_gate: if it is broken, the other laws of the same declaration are not tried.
    is_thorough: whether only a thorough check tries it.
    shrinks: whether a smaller input asks the same question.
    applies: whether a declaration has what the law is about.
    """

    name: str
    says: str
    cause: str
    check: Callable[..., None]
    cases: Sequence[Case] = ({},)
    thorough_cases: Sequence[Case] = ()
    every_option: bool = False
    is_gate: bool = False
    is_thorough: bool = False
    shrinks: bool = True
    applies: Callable[[Any], bool] = field(default=lambda spec: True)

    @property
    def kind(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]

    @property
    def what(self) -> str:
        """The second part of the name."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A law that does not hold.

    law: its name. declared: what breaks it, `architecture 'mine'`. says: the law in a sentence.
    smallest: the smallest input that was found to break it, by name. options: those that differ
    from the defaults. seen: what happened with that input. cause: what usually causes it.
    """

    law: str
    declared: str
    says: str
    seen: str
    cause: str
    smallest: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input(self) -> str:
        """The smallest input as text: `rows=1, length=2; options hidden_size=1`; "" for none."""
        sizes = ", ".join(f"{name}={value!r}" for name, value in self.smallest.items())
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return "; ".join(filter(None, (sizes, options and f"options {options}")))

    def __str__(self) -> str:
        lines = [
            f"{self.declared} breaks {self.law}",
            f"  law: {self.says}",
            f"  seen: {self.seen}",
        ]
        if self.input:
            lines.append(f"  smallest input: {self.input}")
        return "\n".join([*lines, f"  usual cause: {self.cause}"])


class LawBroken(AssertionError):  # noqa: N818 (as tests name it)
    """A law does not hold; `finding` says how."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"\n{finding}")


class Broken(Exception):  # noqa: N818 (it ends a check and becomes a finding)
    """What was seen, in a sentence without a full stop."""


def require(holds: bool, seen: str) -> None:
    """Inside a law: raise `Broken` with what was seen unless the condition holds."""
    if not holds:
        raise Broken(seen)


def law(
    name: str, *, says: str, cause: str, **further: Any
) -> Callable[[Callable[..., None]], Law]:
    """A decorator that makes a law of the function that checks it. further: fields of `Law`."""

    def made(check: Callable[..., None]) -> Law:
        return Law(name=name, says=says, cause=cause, check=check, **further)

    return made
