"""seqzoo doctor [RECIPE|RUN] [key=value ...]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.options import AsJson, Device

if TYPE_CHECKING:
    from seqzoo.doctor.diagnosis import Diagnosis
    from seqzoo.doctor.subject import Settings, Subject
    from seqzoo.plugin.registry import Registry


def doctor(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECIPE|RUN]",
            help="A recipe (a file or a name such as quick), or the folder of a run. Without it: "
            "this installation.",
            show_default=False,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Settings of the recipe to change.", show_default=False
        ),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Only checks that need no training.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A check or a group of checks; may be repeated.", show_default=False),
    ] = None,
    fixed: Annotated[
        Path | None,
        typer.Option(help="Write the fixed recipe to this file.", show_default=False),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="List the checks and do nothing else.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of initialisation and random draws.", min=0)] = 1,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a recipe, a run or the installation, and how to fix it.

    Exits with 0 if nothing is wrong and with 6 if something is.
    """
    from seqzoo.cli.plugins import installed

    registry = installed()
    if list_checks:
        _print_checks(registry, as_json=as_json)
        return
    from seqzoo.doctor.checks import select_checks
    from seqzoo.doctor.diagnosis import diagnose
    from seqzoo.doctor.report.text import print_diagnosis
    from seqzoo.doctor.report.to_json import as_json as printed
    from seqzoo.doctor.subject import Settings
    from seqzoo.recipes.shipped import find_recipe
    from seqzoo.terminal.console import messages, note, results
    from seqzoo.terminal.progress import meter

    if fixed is not None:
        _require_free(fixed)
    if target is not None and not target.is_dir():
        target = find_recipe(target)
    with meter("doctor", messages()) as display:
        settings = Settings(quick=quick, seed=seed)
        subject = _subject(target, registry, overrides or [], settings, device=device)
        # Without a target there is only the machine to look at.
        checks = select_checks(subject.registry, only or ([] if target else ["environment"]))
        step = 1 / max(len(checks), 1)
        begun, current = 0.0, ""

        def watch(share: float, name: str) -> None:
            nonlocal begun, current
            begun, current = share, name
            display.show(share, name)

        subject.watch = lambda share: display.show(begun + share * step, f"{current}: training")
        diagnosis = diagnose(subject, checks, watch=watch)
    text = _fixed(diagnosis, subject, registry, target, overrides or [], into=fixed)
    if as_json:
        print(printed(diagnosis, fixed=text))
    else:
        print_diagnosis(diagnosis, results())
        if text is not None and fixed is None:
            print(f"\n# The recipe with these settings:\n{text}", end="")
    if fixed is not None:
        if text is None:
            note(f"no finding changes a setting, so {fixed} was not written")
        else:
            from seqzoo.storage import write_whole

            write_whole(fixed, text)
            note(f"the fixed recipe is in {fixed}: seqzoo run {fixed}")
    if not diagnosis.is_healthy:
        raise typer.Exit(6)


def _subject(
    target: Path | None,
    registry: Registry,
    overrides: list[str],
    settings: Settings,
    *,
    device: str | None,
) -> Subject:
    from seqzoo.doctor.subject import Subject
    from seqzoo.doctor.subjects.recipe import subject_of_recipe, subject_of_run
    from seqzoo.errors import UsageError
    from seqzoo.recipes.load import load_recipe
    from seqzoo.terminal.display import TerminalDisplay

    if target is None:
        return Subject(title="this installation", registry=registry, settings=settings)
    if target.is_dir():
        if overrides:
            raise UsageError(
                f"{target} is a run, whose settings are fixed; give a recipe to change '"
                f"{overrides[0]}'."
            )
        return subject_of_run(
            target, registry, device=device, settings=settings, display=TerminalDisplay()
        )
    recipe = load_recipe(target, registry, overrides=overrides)
    return subject_of_recipe(
        recipe,
        title=str(target),
        device=device,
        settings=settings,
        display=TerminalDisplay(),
    )


def _require_free(path: Path) -> None:
    """Checked first, so that no work is lost because a folder does not exist."""
    from seqzoo.errors import UsageError

    if path.exists():
        raise UsageError(
            f"--fixed: {path} exists, and nothing is overwritten; choose another name."
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--fixed: there is no folder {path.parent}; make it first.")


def _fixed(
    diagnosis: Diagnosis,
    subject: Subject,
    registry: Registry,
    target: Path | None,
    overrides: list[str],
    *,
    into: Path | None,
) -> str | None:
    from seqzoo.doctor.report.fixed_recipe import fixed_recipe

    if target is None:
        return None
    path = target / "recipe.yaml" if target.is_dir() else target
    return fixed_recipe(
        diagnosis,
        path.read_bytes(),
        registry,
        source=str(path),
        base=subject.recipe.base,
        folder=into.absolute().parent if into is not None else Path.cwd(),
        overrides=overrides,
    )


def _print_checks(registry: Registry, *, as_json: bool) -> None:
    import json

    from rich.table import Table

    from seqzoo.doctor.checks import all_checks
    from seqzoo.terminal.console import results

    checks = all_checks(registry)
    if as_json:
        rows = [
            {"name": c.name, "summary": c.summary, "quick": c.is_quick, "source": c.source}
            for c in checks
        ]
        print(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("check", "healthy is", "quick"):
        table.add_column(column, no_wrap=column == "check")
    for check in checks:
        table.add_row(check.name, check.summary, "yes" if check.is_quick else "")
    results().print(table)
