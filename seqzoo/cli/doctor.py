"""seqzoo doctor [RECIPE|RUN] [key=value ...]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.options import AsJson, Device

if TYPE_CHECKING:
    from seqzoo.doctor.diagnosis import Diagnosis
    from seqzoo.doctor.subject import Subject
    from seqzoo.plugin.registry import Registry


def doctor(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECIPE|RUN]",
            help="A recipe, or the folder of a run; the installation alone without either.",
            show_default=False,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Settings of the recipe to change.", show_default=False
        ),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Only what needs no training.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A check or a group of them; may be repeated.", show_default=False),
    ] = None,
    mended: Annotated[
        Path | None,
        typer.Option(help="File that gets the mended recipe.", show_default=False),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="List the checks and do nothing else.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of initialisation and draws.", min=0)] = 1,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a recipe, a run or the installation, and how to mend it.

    Exits with 0 where nothing was found and with 6 where something was.
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
    from seqzoo.terminal.console import messages, note, results
    from seqzoo.terminal.progress import meter

    if mended is not None:
        _require_free(mended)
    with meter("doctor", messages()) as display:
        subject = _subject(target, registry, overrides or [], quick=quick, seed=seed, device=device)
        # Without a target the machine alone is there to be looked at.
        checks = select_checks(subject.registry, only or ([] if target else ["environment"]))
        step = 1 / max(len(checks), 1)
        begun, current = 0.0, ""

        def watch(share: float, name: str) -> None:
            nonlocal begun, current
            begun, current = share, name
            display.show(share, name)

        subject.watch = lambda share: display.show(begun + share * step, f"{current}: training")
        diagnosis = diagnose(subject, checks, watch=watch)
    text = _mended(diagnosis, subject, registry, target, overrides or [], into=mended)
    if as_json:
        print(printed(diagnosis, mended=text))
    else:
        print_diagnosis(diagnosis, results())
        if text is not None and mended is None:
            print(f"\n# The recipe with these settings made:\n{text}", end="")
    if mended is not None:
        if text is None:
            note(f"there is no setting to mend, so {mended} was not written")
        else:
            from seqzoo.storage import write_whole

            write_whole(mended, text)
            note(f"the mended recipe is in {mended}: seqzoo run {mended}")
    if not diagnosis.is_healthy:
        raise typer.Exit(6)


def _subject(
    target: Path | None,
    registry: Registry,
    overrides: list[str],
    *,
    quick: bool,
    seed: int,
    device: str | None,
) -> Subject:
    from seqzoo.doctor.subject import Subject
    from seqzoo.doctor.subjects.recipe import subject_of_recipe, subject_of_run
    from seqzoo.errors import UsageError
    from seqzoo.recipes.load import load_recipe
    from seqzoo.terminal.console import panel

    if target is None:
        return Subject(title="this installation", registry=registry, quick=quick, seed=seed)
    if target.is_dir():
        if overrides:
            raise UsageError(
                f"{target} is a run, whose settings are fixed; give a recipe to change '"
                f"{overrides[0]}'."
            )
        return subject_of_run(target, registry, device=device, quick=quick, seed=seed)
    recipe = load_recipe(target, registry, overrides=overrides)
    return subject_of_recipe(
        recipe,
        title=str(target),
        device=device,
        quick=quick,
        seed=seed,
        announce=lambda text: panel(text, title="another corpus"),
    )


def _require_free(path: Path) -> None:
    """Before the visit, so that nothing of it is lost for want of a folder."""
    from seqzoo.errors import UsageError

    if path.exists():
        raise UsageError(
            f"--mended: {path} exists, and nothing is overwritten; choose another name."
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--mended: there is no folder {path.parent}; make it first.")


def _mended(
    diagnosis: Diagnosis,
    subject: Subject,
    registry: Registry,
    target: Path | None,
    overrides: list[str],
    *,
    into: Path | None,
) -> str | None:
    from seqzoo.doctor.report.fixed_recipe import mended_recipe

    if target is None:
        return None
    path = target / "recipe.yaml" if target.is_dir() else target
    return mended_recipe(
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
    for column in ("check", "what is looked at", "quick"):
        table.add_column(column, no_wrap=column == "check")
    for check in checks:
        table.add_row(check.name, check.summary, "yes" if check.is_quick else "")
    results().print(table)
