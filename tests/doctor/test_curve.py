"""What the doctor reads from logged curves, compared with a value for every single update."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from doctor_subjects import RUNGS, run_of, with_ladder

from seqzoo.doctor.checks.verdict import overfitting, rung, underfitting, undertrained
from seqzoo.doctor.checks.verdict._curve import Curve, run_curve, training_loss
from seqzoo.doctor.subject import Missing


def score(step: float) -> float:
    """A loss that falls fast, then slowly."""
    return 2.0 + 4.0 / (1 + step / 50)


def validations(*steps: int, bits: list[float] | None = None) -> Curve:
    values = tuple(bits or (score(step) for step in steps))
    return Curve(steps, values, tuple(1 - value / 8 for value in values), of_trial=False)


def logged(
    updates: int,
    *,
    every: int,
    validate_every: int,
    size: int = 100,
    rate: float = 1e-3,
    last_rate: float = 1e-3,
) -> list[dict[str, float]]:
    """The lines of a run as the training loop writes them: means since the line before."""
    lines = []
    since: list[float] = []
    for step in range(1, updates + 1):
        since.append(score(step))
        line: dict[str, float] = {}
        if step % every == 0 or step == updates:
            line = {
                "bits_per_byte": float(np.mean(since)),
                "learning_rate": last_rate if step == updates else rate,
                "bytes": size * step,
            }
            since = []
        if validate_every and (step % validate_every == 0 or step == updates):
            line |= {
                "validation_bits_per_byte": score(step),
                "validation_accuracy": 1 - score(step) / 8,
            }
        if line:
            lines.append({"step": step, **line})
    return lines


@pytest.mark.parametrize("share", [0.2, 0.3, 0.5, 1 / 3])
@pytest.mark.parametrize("every", [1, 7, 20, 33, 100])
@pytest.mark.parametrize("updates", [100, 101, 400, 401, 419])
def test_a_fall_is_that_of_the_named_window(share: float, every: int, updates: int) -> None:
    steps = sorted({*range(every, updates + 1, every), updates})
    found = validations(*steps).fall_over_last(share)
    # One value for each update: the straight line between two validations, walked step by step.
    walked: dict[int, float] = {}
    for left, right in itertools.pairwise(steps):
        for step in range(left, right + 1):
            walked[step] = score(left) + (score(right) - score(left)) * (step - left) / (
                right - left
            )
    begin = updates - share * updates
    low = int(begin + 1e-6)
    if begin < steps[0] - 1e-6:
        assert found is None
        return
    part = begin - low if begin - low > 1e-6 else 0.0
    at_begin = walked[low] + (part and part * (walked[low + 1] - walked[low]))
    assert found == pytest.approx(at_begin - score(updates), abs=1e-9)


@pytest.mark.parametrize(
    ("steps", "resolved"),
    [
        ((200, 400), False),
        ((200, 400, 401), True),
        ((399, 400), False),
        ((320, 400), True),
        ((319, 400), False),
        ((300, 350, 400), True),
        ((400,), False),
    ],
)
def test_a_window_with_one_validation_is_not_measured(
    steps: tuple[int, ...], resolved: bool
) -> None:
    assert (validations(*steps).fall_over_last(0.2, least=2) is not None) is resolved


def test_the_window_begins_at_a_share_of_all_updates_not_of_those_between_validations() -> None:
    late = validations(200, 250, 300, 350, 400, bits=[3.0, 2.9, 2.8, 2.7, 2.6])
    assert late.fall_over_last(0.5) == pytest.approx(0.4)
    assert late.fall_over_last(0.6) is None


@pytest.mark.parametrize("every", [1, 3, 20, 64])
@pytest.mark.parametrize(("begin", "end"), [(0, 400), (133.5, 266.5), (399, 400), (20, 21)])
def test_a_training_loss_is_the_mean_over_the_updates_of_its_window(
    every: int, begin: float, end: float
) -> None:
    lines = logged(400, every=every, validate_every=0)
    of_update: list[float] = []
    for line in lines:
        of_update += [line["bits_per_byte"]] * (int(line["step"]) - len(of_update))
    halves = np.repeat(of_update, 2)  # the windows begin and end at half updates
    expected = halves[int(2 * begin) : int(2 * end)].mean()
    assert training_loss(run_of(lines), begin, end) == pytest.approx(expected, abs=1e-12)


def test_too_few_validations_are_answered_with_the_setting_that_gives_enough() -> None:
    for every, least in ((200, 3), (0, 2), (400, 2), (150, 5)):
        with pytest.raises(Missing, match=f"and {least} are needed; set train.validation") as error:
            run_curve(run_of(logged(400, every=20, validate_every=every)), least=least)
        enough = int(str(error.value).split()[-3])
        lines = logged(400, every=20, validate_every=enough)
        assert len(run_curve(run_of(lines), least=least).steps) >= least
    with pytest.raises(Missing, match=r"1 validation, and 3 are needed$"):
        run_curve(run_of(logged(2, every=1, validate_every=2)), least=3)


def test_a_decayed_run_of_most_of_a_text_is_not_undertrained_however_few_validations() -> None:
    for validate_every in (0, 200, 400, 20):
        lines = logged(400, every=20, validate_every=validate_every, last_rate=0.0)
        outcome = undertrained.examine(run_of(lines, training_bytes=50_000))
        assert outcome.status == "pass"
        assert ("last fifth" in outcome.seen) is (validate_every == 20)


def test_a_run_of_less_than_half_of_its_text_is_undertrained_at_any_rate() -> None:
    lines = logged(400, every=20, validate_every=200, last_rate=0.0)
    assert undertrained.examine(run_of(lines, training_bytes=81_000)).status == "warn"


def test_a_fall_that_cannot_be_measured_is_not_judged_and_no_figure_is_given() -> None:
    lines = logged(400, every=20, validate_every=200)
    with pytest.raises(Missing, match="too few validations") as error:
        undertrained.examine(run_of(lines))
    assert "fell by" not in str(error.value)
    enough = int(str(error.value).split()[-3])
    outcome = undertrained.examine(run_of(logged(400, every=20, validate_every=enough)))
    assert outcome.status == "warn"
    assert outcome.numbers["fallen"] == pytest.approx(score(320) - score(400))


def test_a_flat_end_is_judged_by_few_validations_too() -> None:
    lines = logged(400, every=20, validate_every=200)
    for line in lines:
        if "validation_bits_per_byte" in line:
            line["validation_bits_per_byte"] = 2.4
    outcome = undertrained.examine(run_of(lines))
    assert outcome.status == "pass"
    assert "fell by" not in outcome.seen


def test_a_run_without_validation_is_still_compared_with_its_training_text() -> None:
    for validate_every in (0, 400):
        lines = logged(400, every=20, validate_every=validate_every)
        outcome = underfitting.examine(with_ladder(run_of(lines), **RUNGS))
        assert outcome.status == "pass"
        thirds = [[score(s) for s in range(begin + 1, begin + 134)] for begin in (133, 267)]
        assert outcome.numbers["training"] == pytest.approx(np.mean(thirds[1]), abs=2e-3)
        assert outcome.numbers["fallen"] == pytest.approx(
            np.mean(thirds[0]) - np.mean(thirds[1]), abs=2e-3
        )


def test_one_noisy_line_of_the_training_loss_does_not_hide_overfitting() -> None:
    lines = logged(400, every=20, validate_every=100)
    for line, bits in zip(
        [line for line in lines if "validation_bits_per_byte" in line],
        [2.5, 2.2, 2.3, 2.4],
        strict=True,
    ):
        line["validation_bits_per_byte"] = bits
    lines[-1]["bits_per_byte"] += 1.0
    outcome = overfitting.examine(run_of(lines))
    assert outcome.status == "warn"
    assert outcome.numbers["best_step"] == 200


def test_a_run_without_a_score_in_its_first_half_is_not_put_at_a_rung() -> None:
    with pytest.raises(Missing, match="first half"):
        rung.examine(run_of(logged(210, every=20, validate_every=200)))


def test_no_verdict_crashes_on_the_lines_of_any_run() -> None:
    for updates in (1, 2, 19, 21, 100):
        for every in (1, 20):
            for validate_every in (0, 1, 3, 100):
                lines = logged(updates, every=every, validate_every=validate_every)
                for check in (overfitting, underfitting, undertrained):
                    for given in (run_of(lines), run_of([{"step": 1, "gradient_norm": 1.0}])):
                        try:
                            outcome = check.examine(with_ladder(given, **RUNGS))
                        except Missing:
                            continue
                        assert "nan" not in outcome.seen
