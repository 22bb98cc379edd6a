"""Every failure in recipes/clinic/ is found, and named as the cause that its header states."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import REPOSITORY
from installed_architectures import options_of

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.subject import Settings
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.recipes.load import load_recipe

RECIPES = REPOSITORY / "recipes"
CLINIC = sorted((RECIPES / "clinic").glob("*.yaml"))


def stated(path: Path) -> list[str]:
    """The causes that a recipe's header states, in order."""
    (line,) = re.findall(r"^# Diagnosis: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [] if line == "none" else line.split(", ")


def examined(path: Path, registry: Registry, *, quick: bool, seed: int = 1) -> Diagnosis:
    recipe = load_recipe(path, registry, overrides=["runtime.threads=1"])
    subject = subject_of_recipe(
        recipe, title=path.stem, settings=Settings(quick=quick, seed=seed, seconds=6.0)
    )
    return diagnose(subject, select_checks(subject.registry))


def causes(diagnosis: Diagnosis) -> list[str]:
    return [each.check.name for each in diagnosis.causes]


@pytest.mark.parametrize("path", CLINIC, ids=lambda path: path.stem)
def test_the_documentation_lists_each_recipe_with_its_causes(path: Path) -> None:
    text = (REPOSITORY / "docs" / "doctor.md").read_text(encoding="utf-8")
    (listed,) = re.findall(rf"^\| `{path.stem}` \| .* \| (.*) \|$", text, re.MULTILINE)
    assert re.findall(r"`(.*?)`", listed) == stated(path)


@pytest.mark.parametrize("path", CLINIC, ids=lambda path: path.stem)
def test_each_failure_is_named_as_its_own_cause(path: Path, registry: Registry) -> None:
    quick = {check.name for check in select_checks(registry) if check.is_quick}
    expected = [name for name in stated(path) if name in quick]
    found = examined(path, registry, quick=True)
    assert causes(found) == expected, [
        (each.check.name, each.outcome.seen) for each in found.findings
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", CLINIC, ids=lambda path: path.stem)
def test_each_failure_is_named_with_every_check_run(path: Path, registry: Registry) -> None:
    found = examined(path, registry, quick=False)
    assert causes(found) == stated(path), [
        (each.check.name, each.outcome.seen) for each in found.findings
    ]


OF_EACH_KIND = ("lstm", "transformer", "mamba2", "ngram_gate", "spacebyte")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_recipe_has_no_finding(path: Path, registry: Registry, seed: int) -> None:
    found = examined(path, registry, quick=False, seed=seed)
    assert found.is_healthy, [(each.check.name, each.outcome.seen) for each in found.findings]


@pytest.mark.parametrize(
    "name",
    [
        name if name in OF_EACH_KIND else pytest.param(name, marks=pytest.mark.slow)
        for name in load_registry().names("architecture")
    ],
)
def test_a_small_recipe_of_every_architecture_has_no_quick_finding(
    name: str, registry: Registry
) -> None:
    path = RECIPES / "clinic" / "healthy.yaml"
    options = options_of(registry.get("architecture", name), hidden_size=64)
    chosen = json.dumps({"name": name, "options": options.model_dump(mode="json")})
    recipe = load_recipe(path, registry, overrides=["runtime.threads=1", f"architecture={chosen}"])
    subject = subject_of_recipe(recipe, title=name, settings=Settings(quick=True))
    found = diagnose(subject, select_checks(registry))
    assert found.is_healthy, [(each.check.name, each.outcome.seen) for each in found.findings]
