from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from small_result import make_result

from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.results.ladder import LeftOut, Rung
from seqzoo.results.result import FORMAT_VERSION, read_result, result_schema, write_result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    write_result(path, make_result())
    return path


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_reading_inverts_writing(path: Path) -> None:
    assert read_result(path) == make_result()


def test_the_file_is_plain_json_that_names_its_format(path: Path) -> None:
    stored = json.loads(path.read_text())
    assert stored["format_version"] == FORMAT_VERSION
    assert stored["scores"]["held_out"]["bits_per_byte"] == 2.5
    assert stored["created"] == "2026-01-02T03:04:05Z"


def test_a_written_result_fits_the_published_schema(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_text()), result_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(path.read_text()) | {"steps": "many"}, result_schema())


def test_writing_leaves_no_other_file(path: Path) -> None:
    write_result(path, make_result(test=2.0))
    assert [entry.name for entry in path.parent.iterdir()] == ["result.json"]
    assert read_result(path).scores["test"].bits_per_byte == 2.0


def test_unknown_fields_are_tolerated(path: Path) -> None:
    stored = json.loads(path.read_text())
    stored["scores"]["test"]["novelty"] = 1
    edit(path, colour="blue", scores=stored["scores"])
    assert read_result(path) == make_result()


NEWER_FIELDS = {
    "plugins": {"architecture": {"plugin": "lstm", "distribution": "seqzoo", "version": "0.2"}},
    "started_from": {"path": "runs/other", "step": 300, "weights_sha256": "d" * 64},
}


def test_plugins_and_start_are_kept(path: Path) -> None:
    edit(path, **NEWER_FIELDS)
    result = read_result(path)
    write_result(path, result)
    stored = json.loads(path.read_text())
    assert {name: stored[name] for name in NEWER_FIELDS} == NEWER_FIELDS
    assert read_result(path) == result
    jsonschema.validate(stored, result_schema())


def test_results_of_before_a_field_was_added_still_load(path: Path) -> None:
    write_result(path, make_result(learnt=2.5))
    stored = json.loads(path.read_text())
    for name in NEWER_FIELDS:
        del stored[name]
    del stored["adaptive"]["settings"]
    path.write_text(json.dumps(stored))
    result = read_result(path)
    assert (result.plugins, result.started_from) == ({}, None)
    assert result.adaptive is not None
    assert result.adaptive.settings is None
    jsonschema.validate(stored, result_schema())


@pytest.mark.parametrize(
    "start", [{}, {"path": "runs/other"}, {"path": "x", "step": -1, "weights_sha256": "d"}]
)
def test_a_start_without_its_hash_or_with_a_wrong_step_is_refused(
    path: Path, start: dict[str, Any]
) -> None:
    edit(path, started_from=start)
    with pytest.raises(UsageError, match="started_from"):
        read_result(path)


def test_ladder_is_the_one_that_was_stored(path: Path) -> None:
    placement = read_result(path).ladder.place(2.6, "test")
    assert placement.passed is not None
    assert placement.passed.name == "second"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": FORMAT_VERSION + 1}, "upgrade seqzoo"),
        ({"format_version": FORMAT_VERSION - 1}, "has format version 0, and this seqzoo reads 1"),
        ({"format_version": -1}, "score the run again with"),
        ({"format_version": "1"}, "not a result of seqzoo"),
        ({"format_version": True}, "not a result of seqzoo"),
        ({"parameters": -1}, "parameters: "),
        ({"scores": {"test": {}}}, "scores.test.bits_per_byte: .* 4 more"),
        ({"created": "yesterday"}, "created: "),
        ({"steps": "many"}, "steps: found many, and it should be a valid integer"),
        ({"created": "2026-01-02T03:04:05"}, "created: .*timezone"),
        ({"floor": {"test": float("nan")}}, "NaN is no number of JSON"),
        ({"floor": {"test": float("inf")}}, "Infinity is no number of JSON"),
    ],
)
def test_what_is_wrong_is_one_sentence(path: Path, changes: dict[str, Any], message: str) -> None:
    edit(path, **changes)
    with pytest.raises(UsageError, match=message) as raised:
        read_result(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("split", ["validation", "test", "held_out"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits_per_byte": 1.9}, "not the same score"),
        ({"nats": 1.0}, "not the same score"),
        ({"blocks": [2500.0]}, "1 blocks, expected 10"),
        ({"blocks": [490.0] * 10}, "do not add up"),
        ({"interval": [9, 1]}, "ends before it starts"),
    ],
)
@pytest.mark.parametrize("kind", ["static", "adaptive"])
def test_a_score_that_contradicts_itself_is_refused(
    path: Path, split: str, change: dict[str, Any], message: str, kind: str
) -> None:
    write_result(path, make_result(learnt=2.5))
    stored = json.loads(path.read_text())
    scores = stored["scores"] if kind == "static" else stored["adaptive"]["scores"]
    scores[split] |= change
    edit(path, **stored)
    with pytest.raises(UsageError, match=message) as raised:
        read_result(path)
    assert "Value error" not in str(raised.value)


def test_a_field_that_is_missing_is_named(path: Path) -> None:
    stored = json.loads(path.read_text())
    del stored["seed"]
    path.write_text(json.dumps(stored))
    with pytest.raises(UsageError, match="is damaged: seed: it is missing; score the run again"):
        read_result(path)


def test_an_adaptive_score_of_other_bytes_is_refused(path: Path) -> None:
    other = make_result(learnt=2.5, blocks=[2.5, 2.5, 2.5]).adaptive
    write_result(path, make_result().model_copy(update={"adaptive": other}))
    with pytest.raises(UsageError, match="of other bytes"):
        read_result(path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"3" * 5000, b"[" * 200_000]
)
def test_foreign_and_truncated_files_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_result(path)


def test_every_truncation_is_refused(path: Path) -> None:
    whole = path.read_bytes().rstrip()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError):
            read_result(path)


def test_a_missing_file_and_a_file_in_the_place_of_the_folder_are_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_result(tmp_path / "result.json")
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_result(tmp_path / "file" / "result.json", make_result())


def test_baselines_that_were_left_out_and_the_words_for_rungs_are_kept(tmp_path: Path) -> None:
    rungs = (Rung("order-3", {"test": 2.5}, title="a table", meaning="It counts."),)
    left_out = (LeftOut("slow", "time", 300.0), LeftOut("other", "excluded"))
    written = make_result(rungs=rungs, left_out=left_out)
    write_result(tmp_path / "result.json", written)
    read = read_result(tmp_path / "result.json")
    assert read == written
    assert read.ladder.left_out == left_out
    assert read.ladder.rungs == rungs


def test_a_result_of_before_is_read_without_the_newer_fields(tmp_path: Path) -> None:
    stored = json.loads(make_result().model_dump_json())
    del stored["left_out"], stored["protocol"]["max_bytes"]
    for rung in stored["rungs"]:
        for field in ("title", "meaning", "package"):
            del rung[field]
    (tmp_path / "result.json").write_text(json.dumps(stored))
    assert read_result(tmp_path / "result.json") == make_result()
