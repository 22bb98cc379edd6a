"""laws, check and parametrize_laws: what tests and the command line call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seqzoo.errors import UsageError, did_you_mean
from seqzoo.recipes.choices import with_names_as_mappings
from seqzoo.testing.kinds import laws_of_kind
from seqzoo.testing.law import Finding, LawBroken
from seqzoo.testing.plugins import PluginSpec
from seqzoo.testing.targets import FoundPlugin, Target, find
from seqzoo.testing.trying import BoundLaw, Declared

if TYPE_CHECKING:
    import pytest

__all__ = ["check", "laws", "parametrize_laws"]


def laws(
    target: Target = None,
    *,
    options: Mapping[str, Any] | None = None,
    thorough: bool = False,
    kinds: Iterable[str] | None = None,
) -> list[BoundLaw]:
    """The laws of everything that a target declares, each bound to its declaration.

    target: a module, a declaration, the name of something installed, the path of a plugin file, or
    the name of a package; None is everything that is installed.
    options: values by name, for options without a default, or to fix others. thorough: more
    choices of options, more sizes, and laws that take long. kinds: only these kinds.
    Raises UsageError where the target is nothing, declares nothing, or has no such option.
    """
    found = find(target)
    given = dict(options or {})
    _require_known(given, found)
    bound = [
        law
        for plugin in found
        for declared in _declared(plugin, given, thorough, is_named=target is not None)
        for law in _bound(declared)
    ]
    if kinds is not None:
        chosen = set(kinds)
        bound = [each for each in bound if each.law.kind in chosen]
    if not bound:
        raise UsageError(f"{target or 'this installation'} declares nothing that has laws.")
    return bound


def check(
    target: Target = None, *, options: Mapping[str, Any] | None = None, thorough: bool = False
) -> list[Finding]:
    """Try all laws of a target; the findings are empty if all hold. Arguments as for `laws`.

    Raises UsageError also for an option without a default that is not given; where all that is
    installed is tried, the declaration with that option is skipped.
    """
    tried = [each.examine() for each in laws(target, options=options, thorough=thorough)]
    return [each.finding for each in tried if each.finding is not None]


def parametrize_laws(
    target: Target = None,
    *,
    expected_failures: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    thorough: bool = False,
    kinds: Iterable[str] | None = None,
) -> pytest.MarkDecorator:
    """A decorator of a pytest function `test_law(law)` that runs it for each law of a target.

    expected_failures: reasons by the full name of a law, `architecture.mine.chunking`. Each is a
    strict xfail: the test fails when the law holds, so that the entry is removed. An unknown name
    is refused. The other arguments as for `laws`; a `SkipTest` of a law is shown as skipped.
    """
    import pytest

    found = laws(target, options=options, thorough=thorough, kinds=kinds)
    expected = dict(expected_failures or {})
    names = [each.name for each in found]
    for name in expected:
        if name not in names:
            raise UsageError(
                f"expected_failures names '{name}', which is not one of the {len(names)} laws."
                f"{did_you_mean(name, names)}"
            )
    return pytest.mark.parametrize(
        "law",
        [
            pytest.param(
                each,
                id=each.name,
                marks=[pytest.mark.xfail(reason=expected[each.name], strict=True, raises=LawBroken)]
                if each.name in expected
                else [],
            )
            for each in found
        ],
    )


def _declared(
    plugin: FoundPlugin, options: Mapping[str, Any], thorough: bool, *, is_named: bool
) -> Iterable[Declared]:
    if plugin.is_whole:
        specs: list[Any] = [PluginSpec(name=plugin.owner.plugin, summary="", error=plugin.error)]
    else:
        specs = []
    for spec in [*specs, *plugin.specs]:
        given, _ = laws_of_kind(spec.kind)
        own = {name: value for name, value in options.items() if name in spec.options.model_fields}
        own = with_names_as_mappings(spec.options, own)
        # The given options are replaced by those that are drawn.
        yield Declared(
            given(spec, spec.options.model_construct(), plugin.home),
            plugin.owner,
            own,
            thorough,
            is_named=is_named,
        )


def _bound(declared: Declared) -> Iterable[BoundLaw]:
    spec = declared.given.spec
    _, all_laws = laws_of_kind(spec.kind)
    gates = tuple(each for each in all_laws if each.is_gate)
    for each in all_laws:
        if each.applies(spec) and (declared.thorough or not each.is_thorough):
            before = gates[: gates.index(each)] if each in gates else gates
            yield BoundLaw(each, declared, before)


def _require_known(options: Mapping[str, Any], found: list[FoundPlugin]) -> None:
    known = {name for each in found for spec in each.specs for name in spec.options.model_fields}
    for name in options:
        if name not in known:
            raise UsageError(f"nothing here has an option '{name}'.{did_you_mean(name, known)}")
