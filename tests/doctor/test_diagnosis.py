"""Every check has a line, no check stops another, and causes come first."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
import torch
from commands import REPOSITORY, SMALL, seqzoo
from doctor_subjects import check, subject

from seqzoo.doctor.checks import GROUPS, all_checks, select_checks
from seqzoo.doctor.checks.declared import CheckFile
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.report.fixed_recipe import fixed_recipe
from seqzoo.doctor.report.to_json import as_json
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.errors import PluginError, UsageError
from seqzoo.plugin.check import Check, CheckSubject, Outcome
from seqzoo.plugin.registry import Owner, Registry, load_registry
from seqzoo.recipes.load import load_recipe, parse_recipe

GOOD = Outcome.passed("all is well", share=1.0)
BAD = Outcome.failed("it is not", why="because", remedy="fix it")


def test_every_check_has_a_file_that_states_method_cost_and_pass_rule() -> None:
    for each in all_checks(load_registry()):
        assert isinstance(each.examine, CheckFile)
        path = Path(import_module(each.examine.module).__file__ or "")
        text = " ".join(path.read_text(encoding="utf-8").lower().split())
        assert all(word in text for word in ("method:", "cost:", "pass rule:")), path.name
        assert each.group in GROUPS


def as_public(whole: Subject) -> CheckSubject:
    """mypy checks here that a subject has every public attribute, with the right types."""
    return whole


def test_a_subject_has_every_public_attribute() -> None:
    members = {*vars(CheckSubject), *CheckSubject.__annotations__}
    promised = {name for name in members if not name.startswith("_")}
    assert "recipe" in promised
    assert promised <= set(dir(Subject)) | set(vars(as_public(subject())))


def test_a_check_that_crashes_does_not_stop_the_others() -> None:
    checks = [
        check("stream.a", ValueError("the\nreason")),
        check("stream.b", SystemExit(3)),
        check("stream.c", Missing("there is no run yet")),
        check("stream.d", GOOD),
    ]
    diagnosis = diagnose(subject(), checks)
    crashed, ended, skipped, passed = diagnosis.examined
    assert (crashed.outcome.status, crashed.crashed) == ("warn", True)
    assert "ValueError: the reason (doctor_subjects.py, line" in crashed.outcome.seen
    assert (ended.outcome.status, ended.crashed) == ("warn", True)
    assert (skipped.outcome.status, skipped.outcome.seen) == ("skip", "there is no run yet")
    assert passed.outcome is GOOD


def test_an_interrupt_ends_the_examination() -> None:
    with pytest.raises(KeyboardInterrupt):
        diagnose(subject(), [check("stream.a", KeyboardInterrupt())])


def test_a_check_that_returns_no_outcome_is_reported() -> None:
    lazy = Check(name="model.lazy", summary="", examine=lambda _: None)  # type: ignore[arg-type,return-value]
    (examined,) = diagnose(subject(), [lazy]).examined
    assert "NoneType, expected an Outcome" in examined.outcome.seen


def test_a_finding_that_another_explains_is_not_a_cause_and_comes_later() -> None:
    checks = [
        check("stream.symptom", BAD),
        check("stream.cause", BAD, explains=("stream.symptom", "verdict.*")),
        check("model.other", BAD),
        check("verdict.rung", BAD),
    ]
    diagnosis = diagnose(subject(), checks)
    assert [each.check.name for each in diagnosis.causes] == ["stream.cause", "model.other"]
    assert [each.check.name for each in diagnosis.findings] == [
        "stream.cause",
        "model.other",
        "stream.symptom",
        "verdict.rung",
    ]
    assert diagnosis.explained["verdict.rung"] == ("stream.cause",)


def test_a_check_that_passed_explains_nothing() -> None:
    checks = [check("stream.cause", GOOD, explains=("verdict.*",)), check("verdict.rung", BAD)]
    assert [each.check.name for each in diagnose(subject(), checks).causes] == ["verdict.rung"]


def test_if_two_checks_explain_each_other_the_earlier_is_the_cause() -> None:
    checks = [
        check("model.a", BAD, explains=("model.b",)),
        check("model.b", BAD, explains=("model.a",)),
    ]
    assert [each.check.name for each in diagnose(subject(), checks).causes] == ["model.a"]


def test_the_quick_mode_skips_slow_checks_and_says_so() -> None:
    checks = [check("model.a", BAD, is_quick=False), check("model.b", GOOD)]
    slow, quick = diagnose(subject(quick=True), checks).examined
    assert (slow.outcome.status, quick.outcome.status) == ("skip", "pass")
    assert "quick" in slow.outcome.seen


def test_an_examination_restores_generators_and_threads() -> None:
    def meddle(_: object) -> Outcome:
        torch.rand(3)
        torch.set_num_threads(2)
        return GOOD

    torch.set_num_threads(1)
    before = torch.get_rng_state()
    diagnose(subject(), [Check(name="model.meddles", summary="", examine=meddle)] * 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 1


def test_random_numbers_of_a_check_do_not_depend_on_earlier_checks() -> None:
    drawn: list[float] = []

    def draw(_: object) -> Outcome:
        drawn.append(float(torch.rand(())))
        return GOOD

    diagnose(subject(), [Check(name="model.draws", summary="", examine=draw)] * 2)
    assert drawn[0] == drawn[1]


def test_checks_are_selected_by_name_group_or_pattern(registry: Registry) -> None:
    assert [c.name for c in select_checks(registry, ["verdict.rung"])] == ["verdict.rung"]
    groups = {c.group for c in select_checks(registry, ["verdict", "environment.*"])}
    assert groups == {"verdict", "environment"}
    with pytest.raises(UsageError, match=r"Did you mean 'verdict\.rung'"):
        select_checks(registry, ["verdict.rugn"])


class Plugin:
    """Declares a check as a third party does."""

    def __init__(self, each: Check) -> None:
        import seqzoo

        self.register_checks = seqzoo.hookimpl(lambda: [each])


def test_a_plugins_check_is_placed_in_its_group_by_rank() -> None:
    registry = load_registry()
    registry.add(Plugin(check("verdict.mine", GOOD, rank=1)), Owner("mine"))
    names = [each.name for each in all_checks(registry)]
    assert names.index("verdict.mine") == names.index("verdict.even_guess") - 1


def test_a_plugin_cannot_replace_a_built_in_check() -> None:
    registry = load_registry()
    with pytest.raises(PluginError, match=r"check .verdict\.rung., which is a name of"):
        registry.add(Plugin(check("verdict.rung", GOOD)), Owner("mine"))


def test_the_json_has_every_check_and_is_valid_for_any_numbers() -> None:
    odd = Outcome.failed("x", why="", remedy="", numbers={"loss": float("nan"), "share": 0.5})
    diagnosis = diagnose(subject(), [check("model.a", odd), check("model.b", GOOD)])
    report = json.loads(as_json(diagnosis, fixed=None))
    assert report["is_healthy"] is False
    assert report["causes"] == ["model.a"]
    assert report["checks"][0]["numbers"] == {"loss": None, "share": 0.5}
    assert [each["status"] for each in report["checks"]] == ["fail", "pass"]


def test_the_fixed_recipe_has_the_settings_that_findings_propose(registry: Registry) -> None:
    changing = Outcome.failed(
        "x", why="", remedy="", changes=("train.bptt_length=32", "sample.chain=[]")
    )
    also = Outcome.warned("x", why="", remedy="", changes=("train.bptt_length=32",))
    checks = [check("memory.a", changing), check("memory.b", also)]
    text = fixed_recipe(
        diagnose(subject(), checks),
        SMALL,
        registry,
        source="small.yaml",
        base=Path(),
        folder=Path(),
        overrides=["train.batch_size=4"],
    )
    assert text is not None
    recipe = parse_recipe(text, registry, source="fixed.yaml", base=Path())
    original = parse_recipe(SMALL, registry, source="small.yaml", base=Path())
    assert recipe.name == "small_fixed"
    assert recipe.train == original.train.model_copy(update={"bptt_length": 32, "batch_size": 4})
    assert recipe.sample.chain == ()
    assert recipe.architecture == original.architecture


def test_without_a_change_there_is_no_fixed_recipe(registry: Registry) -> None:
    diagnosis = diagnose(subject(), [check("memory.a", BAD)])
    assert fixed_recipe(diagnosis, SMALL, registry, source="s", base=Path(), folder=Path()) is None


def fixed(path: Path, folder: Path, *changes: str, overrides: tuple[str, ...] = ()) -> str:
    """A recipe's text with changes, each proposed by one finding."""
    findings = [
        check(
            f"memory.number_{n}", Outcome.failed("x", why="", remedy="", changes=(change,)), rank=n
        )
        for n, change in enumerate(changes)
    ]
    text = fixed_recipe(
        diagnose(subject(), findings),
        path.read_bytes(),
        load_registry(trust=True),
        source=str(path),
        base=path.parent,
        folder=folder,
        overrides=overrides,
    )
    assert text is not None
    return text


CLINIC = REPOSITORY / "recipes" / "clinic"


def test_a_fixed_recipe_leaves_out_a_plugin_file_that_it_no_longer_needs(tmp_path: Path) -> None:
    text = fixed(CLINIC / "question_212815.yaml", tmp_path, "train.stream=null")
    assert "plugins" not in text
    assert parse_recipe(text, load_registry(), source="", base=tmp_path).train.stream is None


@pytest.mark.parametrize("name", ["question_212815", "frozen_layer"])
def test_a_fixed_recipe_finds_its_plugin_files_from_its_own_folder(
    name: str, tmp_path: Path
) -> None:
    text = fixed(CLINIC / f"{name}.yaml", tmp_path, "train.bptt_length=8")
    (tmp_path / "better.yaml").write_text(text)
    recipe = load_recipe(tmp_path / "better.yaml", load_registry(trust=True))
    assert recipe.plugins
    assert recipe.train.bptt_length == 8


def test_a_fixed_recipe_finds_its_corpus_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "text.txt").write_text("some text")
    corpus = "corpus: {name: file, options: {path: ../text.txt}}"
    text = SMALL.replace("corpus: {name: pastiche, options: {size_bytes: 30000}}", corpus)
    (tmp_path / "here" / "small.yaml").write_text(text)
    moved = fixed(tmp_path / "here" / "small.yaml", tmp_path, "train.bptt_length=8")
    options = parse_recipe(moved, load_registry(), source="", base=tmp_path).corpus.options
    assert (tmp_path / str(options.path)).is_file()


def test_a_setting_that_an_earlier_finding_changes_keeps_that_value(tmp_path: Path) -> None:
    whole = "train.optimizer={name: muon, learning_rate: 0.01}"
    path = CLINIC / "healthy.yaml"
    for changes in (
        (whole, "train.optimizer.learning_rate=9"),
        ("train.clip_norm=1", "train.clip_norm=9"),
    ):
        text = fixed(path, tmp_path, *changes, "sample.length=7")
        recipe = parse_recipe(text, load_registry(), source="", base=tmp_path)
        assert recipe.sample.length == 7
        assert 9 not in (recipe.train.optimizer.options.learning_rate, recipe.train.clip_norm)


def test_the_exit_code_says_whether_something_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    healthy = seqzoo("doctor", "small.yaml", "--only", "environment.torch", folder=tmp_path)
    assert healthy.returncode == 0, healthy.stderr
    assert "healthy" in healthy.stdout
    found = seqzoo(
        "doctor", "small.yaml", "runtime.threads=4096", "--only", "environment.threads",
        "--json", folder=tmp_path,
    )  # fmt: skip
    assert found.returncode == 6, found.stderr
    report = json.loads(found.stdout)
    assert report["causes"] == ["environment.threads"]
    assert "runtime" in report["fixed_recipe"]
    for arguments in (("nothere.yaml",), ("small.yaml", "--only", "verdit.rung"), ("runs/none",)):
        wrong = seqzoo("doctor", *arguments, folder=tmp_path)
        assert wrong.returncode == 2
        assert "Traceback" not in wrong.stderr


def test_the_fixed_file_is_written_and_is_a_recipe(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    done = seqzoo(
        "doctor", "small.yaml", "runtime.threads=4096", "--only", "environment.threads",
        "--fixed", "fixed.yaml", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 6
    for path in ("fixed.yaml", "nowhere/fixed.yaml"):
        refused = seqzoo("doctor", "small.yaml", "--fixed", path, folder=tmp_path)
        assert refused.returncode == 2
        assert path.partition("/")[0] in refused.stderr
    threads = load_recipe(tmp_path / "fixed.yaml", registry).runtime.threads
    assert threads is not None
    assert threads < 4096
