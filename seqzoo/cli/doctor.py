"""seqzoo doctor [RECIPE|RUN] [--text TEXT] [key=value ...]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, recipe_or_run, whole_number
from seqzoo.cli.recipes import Texts
from seqzoo.cli.trust import TrustOption, with_trust

if TYPE_CHECKING:
    from seqzoo.data.corpus import Data
    from seqzoo.doctor.diagnosis import Diagnosis
    from seqzoo.doctor.subject import Settings, Subject
    from seqzoo.plugin.registry import Registry
    from seqzoo.recipes.load import Recipe


def doctor(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECIPE|RUN]",
            help="A recipe (a file or a name such as quick), or a run: its folder, such as "
            "runs/quick, or its name in runs/ if no recipe has it. Without it: this installation.",
            show_default=False,
            callback=recipe_or_run,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Settings of the recipe to change.", show_default=False
        ),
    ] = None,
    text: Texts = None,
    quick: Annotated[bool, typer.Option(help="Only checks that need no training.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A check or a group of checks; may be repeated.", show_default=False),
    ] = None,
    fixed: Annotated[
        Path | None,
        typer.Option(
            help="Write the recipe to this file, with the settings that the findings propose.",
            metavar="FILE.yaml",
            show_default=False,
        ),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="List the checks and do nothing else.")
    ] = False,
    seed: Annotated[
        int,
        whole_number(
            "--seed",
            least=0,
            help="Seed of initialisation and random draws.",
        ),
    ] = 1,
    device: Device = None,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a recipe, a run or the installation, and how to fix it.

    Exits with 0 if nothing is wrong and with 6 if something is.
    """
    from seqzoo.cli.plugins import installed

    registry = with_trust(installed(), trust)
    if list_checks:
        _print_checks(registry, as_json=as_json)
        return
    # Wrong arguments are reported before torch is imported.
    if fixed is not None:
        _require_writable(fixed, target)
    changes = list(overrides or [])
    source = _recipe_file(target, changes, text or [])
    recipe = data = None
    if source is not None:
        from seqzoo.recipes.load import load_recipe

        recipe = load_recipe(source, registry, overrides=changes, texts=text)
        if text:
            from seqzoo.runs.prepare import prepare
            from seqzoo.terminal.display import TerminalDisplay

            recipe, data = prepare(recipe, root=DEFAULT_RUNS, name=None, display=TerminalDisplay())
            changes = [*_of_own_text(recipe), *changes]
    from seqzoo.doctor.checks import select_checks
    from seqzoo.doctor.diagnosis import diagnose
    from seqzoo.doctor.report.text import print_diagnosis
    from seqzoo.doctor.report.to_json import as_json as printed
    from seqzoo.doctor.subject import Settings
    from seqzoo.terminal.console import messages, results, write
    from seqzoo.terminal.progress import meter
    from seqzoo.terminal.streams import write_data

    with meter("doctor", messages()) as display:
        settings = Settings(quick=quick, seed=seed)
        subject = _subject(target, recipe, data, registry, settings, device=device)
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
    file = target / "recipe.yaml" if target and source is None else source
    written = _fixed(diagnosis, subject, registry, file, changes, into=fixed)
    changed = written if any(each.outcome.changes for each in diagnosis.findings) else None
    if as_json:
        write_data(printed(diagnosis, fixed=changed))
    else:
        print_diagnosis(diagnosis, results())
        if changed is not None and fixed is None:
            write(f"\n# The recipe with these settings:\n{changed}")
    if fixed is not None and written is not None:
        _write(written, fixed, diagnosis, is_changed=changed is not None)
    if not diagnosis.is_healthy:
        raise typer.Exit(6)


def _of_own_text(recipe: Recipe) -> list[str]:
    """The user's text as settings of a recipe, for the recipe that --fixed writes."""
    import json

    options = recipe.corpus.options.model_dump(mode="json", exclude_unset=True)
    return [
        'description=""',  # it describes another text
        f"corpus.name={recipe.corpus.name}",
        f"corpus.options={json.dumps(options)}",
        "corpus.fallback=null",
        f"sample.prompt={json.dumps(recipe.sample.prompt)}",
    ]


def _recipe_file(target: Path | None, overrides: list[str], texts: list[str]) -> Path | None:
    """The recipe that `target` is or names; None if it is a run, or nothing."""
    from seqzoo.errors import UsageError
    from seqzoo.recipes.shipped import find_recipe
    from seqzoo.runs.directory import open_run_directory
    from seqzoo.terminal.console import note
    from seqzoo.terminal.format import quoted

    if target is None:
        if texts:
            raise UsageError(
                f"--text needs a recipe; for example: seqzoo doctor quick --text {quoted(texts[0])}"
            )
        return None
    source = find_recipe(target)
    if source.is_file():
        if (beside := DEFAULT_RUNS / target).is_dir():
            note(f"{target} is the recipe; to examine the run: seqzoo doctor {quoted(beside)}")
        return source
    if target.is_dir():
        if overrides or texts:
            changed = overrides[0] if overrides else "--text"
            raise UsageError(
                f"{target} is a run, whose settings are fixed; give a recipe to change '{changed}'."
            )
        open_run_directory(target)  # raises UsageError if there is no run
        return None
    if not source.exists():
        raise UsageError(f"there is no recipe or run {target}.{_nearest(target)}")
    return source


def _subject(
    target: Path | None,
    recipe: Recipe | None,
    data: Data | None,
    registry: Registry,
    settings: Settings,
    *,
    device: str | None,
) -> Subject:
    from seqzoo.doctor.subject import Subject
    from seqzoo.doctor.subjects.recipe import subject_of_recipe, subject_of_run
    from seqzoo.terminal.display import TerminalDisplay

    if target is None:
        return Subject(title="this installation", registry=registry, settings=settings)
    if recipe is None:
        return subject_of_run(
            target, registry, device=device, settings=settings, display=TerminalDisplay()
        )
    return subject_of_recipe(
        recipe,
        title=f"recipe {target}",
        device=device,
        settings=settings,
        data=data,
        display=TerminalDisplay(),
    )


def _nearest(target: Path) -> str:
    """A hint with the closest recipe or run beside the target, or the closest run in runs/."""
    from seqzoo.errors import did_you_mean
    from seqzoo.recipes.shipped import shipped_recipes
    from seqzoo.terminal.format import quoted

    shipped = shipped_recipes()
    if target.stem in shipped:
        return f" The recipe '{target.stem}' comes with seqzoo; give its name, without a path."
    try:
        beside = [
            entry
            for entry in target.parent.iterdir()
            if entry.suffix in (".yaml", ".yml") or (entry / "recipe.yaml").is_file()
        ]
        runs = [file.parent for file in DEFAULT_RUNS.glob("*/recipe.yaml")]
    except (OSError, ValueError):
        return ""
    named = (*map(Path, shipped), *runs, *beside)
    places = {name: path for path in named for name in (path.name, path.stem)}
    hint = did_you_mean(target.name, places)
    close = [path for name, path in places.items() if hint == f" Did you mean '{name}'?"]
    return f" Did you mean {quoted(close[0])}?" if close else ""


def _require_writable(path: Path, target: Path | None) -> None:
    """Checked first, so that no work is lost because a folder does not exist."""
    from seqzoo.errors import UsageError

    if target is None:
        raise UsageError("--fixed writes a recipe; give the recipe or the run to examine.")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--fixed: {path} must end in .yaml, as every recipe.")
    if path.exists():
        raise UsageError(
            f"--fixed: {path} exists, and nothing is overwritten; choose another name."
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--fixed: there is no folder {path.parent}; make it first.")


def _write(text: str, path: Path, diagnosis: Diagnosis, *, is_changed: bool) -> None:
    from seqzoo.storage import write_whole
    from seqzoo.terminal.console import note
    from seqzoo.terminal.format import quoted

    write_whole(path, text)
    command = f"seqzoo run {quoted(path)}"
    if is_changed:
        note(f"the fixed recipe is in {path}: {command}")
    elif diagnosis.is_healthy:
        note(f"nothing has to change; {path} has the same settings: {command}")
    else:
        note(f"no finding proposes a setting; {path} has the same settings: {command}")


def _fixed(
    diagnosis: Diagnosis,
    subject: Subject,
    registry: Registry,
    path: Path | None,
    overrides: list[str],
    *,
    into: Path | None,
) -> str | None:
    from seqzoo.doctor.report.fixed_recipe import fixed_recipe
    from seqzoo.recipes.shipped import recipe_text

    if path is None:
        return None
    return fixed_recipe(
        diagnosis,
        recipe_text(path),
        registry,
        source=str(path),
        base=subject.recipe.base,
        folder=into.absolute().parent if into is not None else Path.cwd(),
        overrides=overrides,
        always=into is not None,
    )


def _print_checks(registry: Registry, *, as_json: bool) -> None:
    import json

    from rich.table import Table

    from seqzoo.doctor.checks import all_checks
    from seqzoo.terminal.console import results
    from seqzoo.terminal.streams import write_data

    checks = all_checks(registry)
    if as_json:
        rows = [
            {"name": c.name, "summary": c.summary, "quick": c.is_quick, "source": c.source}
            for c in checks
        ]
        write_data(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("check", "what is healthy", "quick"):
        table.add_column(column, no_wrap=column == "check")
    for check in checks:
        table.add_row(check.name, check.summary, "yes" if check.is_quick else "")
    results().print(table)
