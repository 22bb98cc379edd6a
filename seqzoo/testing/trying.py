"""Tries one law on one declaration, and finds the smallest input that breaks it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from unittest import SkipTest

from seqzoo.errors import UsageError
from seqzoo.plugin.discovery import Owner
from seqzoo.plugin.place import place_of
from seqzoo.plugin.specs import Options
from seqzoo.plugin.surroundings import Surroundings
from seqzoo.recipes.validation import check
from seqzoo.testing.drawing import Drawn, draw, missing_options
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.law import Broken, Case, Finding, Law, LawBroken
from seqzoo.testing.shrinking import smallest_case

__all__ = ["BoundLaw", "Declared", "Tried"]


@dataclass(frozen=True)
class Tried:
    """What came of a law.

    status: "skip" if it could not be tried; `reason` says why. cases: how often it was tried.
    refused: how many combinations of options the plugin refused.
    """

    status: Literal["holds", "broken", "skip"]
    finding: Finding | None = None
    reason: str = ""
    cases: int = 0
    choices: int = 0
    refused: int = 0


@dataclass(eq=False)
class Declared:
    """One declaration, or one plugin, with what its laws have in common.

    given: its class is that of the kind; its options are replaced by those that are drawn.
    options: values that were given by name and stay. is_named: the user asked for it, or for its
    plugin, and not for all that is installed.
    """

    given: Given[Any]
    owner: Owner
    options: Mapping[str, Any] = field(default_factory=dict)
    thorough: bool = False
    is_named: bool = True
    gates: dict[str, Tried] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`architecture.mine`."""
        return f"{self.given.spec.kind}.{self.given.spec.name}"

    @property
    def title(self) -> str:
        """`architecture 'mine'`."""
        return f"{self.given.spec.kind} '{self.given.spec.name}'"

    @property
    def missing(self) -> list[str]:
        """The options that have no default and no value."""
        return missing_options(self.given.spec.options, self.options)

    def require_options(self) -> None:
        """Raises UsageError where an option has no default and no value, or a wrong value.

        Not where all that is installed is tried: then it is skipped.
        """
        if self.missing:
            if not self.is_named:
                return
            first = self.missing[0]
            raise UsageError(
                f"{self.title} needs the option '{first}', which has no default; give a value to "
                f"try it with: options={{{first!r}: ...}} in Python, -o {first}=... in the shell."
            )
        _, mistakes = check(self.given.spec.options, dict(self.options))
        if mistakes:
            raise UsageError(f"{self.title}: {mistakes[0].message}")

    @cached_property
    def drawn(self) -> Drawn:
        """The choices of options. Raises what building with the defaults raises."""

        def accepts(made: Options) -> None:
            with _apart():
                self.with_options(made).accept()

        return draw(self.given.spec.options, self.options, accepts, thorough=self.thorough)

    def default(self) -> Given[Any]:
        """The declaration with its defaults and the given options."""
        return self.with_options(self.given.spec.options(**self.options))

    def with_options(self, options: Options) -> Given[Any]:
        """The declaration with these options."""
        return type(self.given)(self.given.spec, options, self.given.home)


@dataclass(frozen=True, eq=False)
class BoundLaw:
    """A law and the declaration that it is tried on."""

    law: Law
    declared: Declared
    gates: tuple[Law, ...] = ()

    @property
    def name(self) -> str:
        """`architecture.mine.chunking`, as expected failures name it."""
        return f"{self.declared.name}.{self.law.what}"

    def __repr__(self) -> str:
        return f"<law {self.name}>"

    def check(self) -> None:
        """Try the law. Raises LawBroken, and SkipTest where it cannot be tried here.

        Raises UsageError for an option that has no default and was not given.
        """
        tried = self.examine()
        if tried.finding is not None:
            raise LawBroken(tried.finding)
        if tried.status == "skip":
            raise SkipTest(tried.reason)

    def examine(self) -> Tried:
        """Try the law and return what came of it; raises UsageError as `check` does."""
        for gate in self.gates:
            if gate is not self.law and self._tried(gate).status == "broken":
                return Tried("skip", reason=f"not tried, because {gate.name} does not hold")
        return self._tried(self.law)

    def _tried(self, law: Law) -> Tried:
        if not law.is_gate:
            return _try(law, self.declared)
        if law.name not in self.declared.gates:
            self.declared.gates[law.name] = _try(law, self.declared)
        return self.declared.gates[law.name]


def _try(law: Law, declared: Declared) -> Tried:
    declared.require_options()
    if declared.missing:
        return Tried("skip", reason=f"its option '{declared.missing[0]}' has no default")
    try:
        drawn = declared.drawn
    except NotHere as reason:
        return Tried("skip", reason=str(reason))
    except (Exception, SystemExit) as error:
        return Tried("broken", _finding(law, declared, f"building it {_raised(error)}"), cases=1)
    choices = drawn.choices if law.every_option else drawn.choices[:1]
    cases = [*law.cases, *(law.thorough_cases if declared.thorough else ())]
    count = 0
    reasons: list[str] = []
    for options in choices:
        given = declared.with_options(options)
        for case in cases:
            try:
                seen = _seen(law, given, case)
            except NotHere as reason:
                reasons.append(str(reason))
                continue
            count += 1
            if seen is not None:
                finding = _smallest(law, declared, seen, drawn.choices[0], options, case)
                return Tried("broken", finding, cases=count)
    refused = len(drawn.refused)
    if not count:
        return Tried("skip", reason=reasons[0] if reasons else "there is nothing to try")
    return Tried("holds", cases=count, choices=len(choices), refused=refused)


def _smallest(
    law: Law, declared: Declared, seen: str, usual: Options, options: Options, case: Case
) -> Finding:
    """The finding with the usual options and a smaller case, where these break the law too."""

    def breaks(options: Options, case: Case) -> bool:
        nonlocal seen
        try:
            found = _seen(law, declared.with_options(options), case)
        except NotHere:
            return False
        seen = found or seen
        return found is not None

    if law.shrinks:
        if options != usual and breaks(usual, case):
            options = usual
        case = smallest_case(case, lambda smaller: breaks(options, smaller))
    return _finding(law, declared, seen, case, options)


def _finding(
    law: Law,
    declared: Declared,
    seen: str,
    case: Case | None = None,
    options: Options | None = None,
) -> Finding:
    return Finding(
        law=law.name,
        declared=declared.title,
        says=law.says,
        seen=seen,
        cause=law.cause,
        smallest=dict(case or {}),
        options={} if options is None else options.model_dump(mode="json", exclude_defaults=True),
    )


def _seen(law: Law, given: Given[Any], case: Case) -> str | None:
    """What breaks the law with this case; None if it holds. Raises NotHere."""
    try:
        with _apart():
            law.check(given, **case)
    except Broken as broken:
        return str(broken)
    except NotHere:
        raise
    except (Exception, SystemExit) as error:
        return f"it {_raised(error)}"
    return None


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Nothing that a plugin prints is shown, and what all plugins share is put back."""
    with contextlib.redirect_stdout(io.StringIO()), Surroundings() as surroundings:
        try:
            yield
        finally:
            surroundings.put_back()


def _raised(error: BaseException) -> str:
    message = " ".join(str(error).split())
    place = place_of(error)
    return f"raised {type(error).__name__}: {message:.200}" + (f" ({place})" if place else "")
