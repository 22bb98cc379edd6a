"""csv, tensorboard and wandb: what they write, read back by other code than ours."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from commands import environment

from seqzoo import Options, Tracker, TrackerContext, UsageError
from seqzoo.plugin.registry import Registry

RESULT = {
    "steps": 30,
    "step": 20,
    "placement": "2.5 bits per byte.",
    "scores": {"validation": {"bits_per_byte": 2.25}, "test": {"bits_per_byte": 2.5}},
}
LINES: list[tuple[int, dict[str, float]]] = [
    (10, {"loss": 3.0000000000000004, "bytes": 640}),
    (20, {"loss": 1e-300, "bytes": 1280, "validation_bits_per_byte": 2.5}),
    (30, {"loss": 1.5, "bytes": 1920}),
]


def opened(
    registry: Registry, name: str, run: Path, *, resumed_from: int | None = None, **options: Any
) -> Tracker:
    spec = registry.get("tracker", name)
    run.mkdir(exist_ok=True)
    context = TrackerContext(
        run_directory=run,
        run_id="0123456789abcdef",
        recipe={"name": "mine", "train": {"seed": 1}},
        resumed_from=resumed_from,
    )
    return spec.open(spec.options(**options), context)


def send(tracker: Tracker, lines: list[tuple[int, dict[str, float]]]) -> None:
    for step, metrics in lines:
        tracker.log(step, metrics)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, strict=True))


def as_lines(rows: list[dict[str, str]]) -> list[tuple[int, dict[str, float]]]:
    return [
        (
            int(row["step"]),
            {name: json.loads(value) for name, value in row.items() if name != "step" and value},
        )
        for row in rows
    ]


def test_a_table_has_every_value_as_it_was(registry: Registry, tmp_path: Path) -> None:
    tracker = opened(registry, "csv", tmp_path)
    send(tracker, LINES)
    rows = table(tmp_path / "metrics.csv")  # before it is closed: readers follow it
    assert as_lines(rows) == LINES
    assert [*rows[0]] == ["step", "loss", "bytes", "validation_bits_per_byte"]
    tracker.close()


def test_a_table_is_rfc_4180(registry: Registry, tmp_path: Path) -> None:
    tracker = opened(registry, "csv", tmp_path)
    send(tracker, [(1, {'a "b", c': 1.0}), (2, {"d": 2.0})])
    tracker.close()
    assert (tmp_path / "metrics.csv").read_bytes() == (
        b'step,"a ""b"", c",d\r\n1,1.0,\r\n2,,2.0\r\n'
    )


@pytest.mark.parametrize("last", [0, 10, 25, 30])
@pytest.mark.parametrize("torn", [0, 3, 14, 20])
def test_a_resumed_table_has_every_step_once(
    last: int, torn: int, registry: Registry, tmp_path: Path
) -> None:
    whole = opened(registry, "csv", tmp_path / "whole")
    send(whole, LINES)
    first = opened(registry, "csv", tmp_path / "run")
    send(first, LINES)
    path = tmp_path / "run" / "metrics.csv"
    with path.open("ab") as file:
        file.write(b"40,1.0,2560,\r\n50,0.5,3200,\r\n"[:torn])  # by a process that was killed
    again = opened(registry, "csv", tmp_path / "run", resumed_from=last)
    send(again, [line for line in LINES if line[0] > last])
    assert as_lines(table(path)) == as_lines(table(tmp_path / "whole" / "metrics.csv"))


def test_a_new_table_replaces_the_one_of_this_run(registry: Registry, tmp_path: Path) -> None:
    for _ in range(2):
        send(opened(registry, "csv", tmp_path), LINES)
    assert as_lines(table(tmp_path / "metrics.csv")) == LINES


def test_a_table_of_another_run_is_not_replaced(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "all" / "table.csv"
    send(opened(registry, "csv", tmp_path / "one", path=path), LINES)
    before = path.read_bytes()
    for resumed_from in (None, 0, 30):
        with pytest.raises(UsageError, match=r"table\.csv exists, and this run did not write it"):
            opened(registry, "csv", tmp_path / "two", path=path, resumed_from=resumed_from)
    assert path.read_bytes() == before
    again = opened(registry, "csv", tmp_path / "one", path=path, resumed_from=20)
    send(again, LINES[2:])
    assert as_lines(table(path)) == LINES


@pytest.mark.parametrize("content", [b"a diary\n", b"step by step\n", b"\0", b"ste", b"steps,1\n"])
def test_a_file_that_is_no_table_is_kept_whatever_a_run_of_somebody_else_says(
    content: bytes, registry: Registry, tmp_path: Path
) -> None:
    path, run = tmp_path / "diary.csv", tmp_path / "run"
    path.write_bytes(content)
    run.mkdir()
    (run / "metrics-diary.csv").symlink_to(path)
    for resumed_from in (None, 0, 30):
        with pytest.raises(UsageError, match=r"diary\.csv exists, and this run did not write it"):
            opened(registry, "csv", run, path=path, resumed_from=resumed_from)
    assert path.read_bytes() == content


def test_a_damaged_table_is_left_as_it_is(registry: Registry, tmp_path: Path) -> None:
    send(opened(registry, "csv", tmp_path), LINES)
    path = tmp_path / "metrics.csv"
    damages = [b"step,loss\r\nten,1.0\r\n", b"loss\r\n1.0\r\n", b"step\r\n1,2,3\r\n", b"\xff\n"]
    for damage in damages:
        path.write_bytes(damage)
        with pytest.raises(UsageError, match="is damaged"):
            opened(registry, "csv", tmp_path, resumed_from=30)
        assert path.read_bytes() == damage


def events(path: Path) -> Iterator[dict[int, Any]]:
    """The events of a file, decoded by the documents of the two formats."""
    data, place = path.read_bytes(), 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        assert struct.unpack_from("<I", data, place + 8)[0] == masked_crc(data[place : place + 8])
        event = data[place + 12 : place + 12 + length]
        assert struct.unpack_from("<I", data, place + 12 + length)[0] == masked_crc(event)
        yield fields(event)
        place += length + 16


def masked_crc(data: bytes) -> int:
    """CRC-32C by long division, bit by bit; the table of the plugin is not used."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            is_odd = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x82F63B78 if is_odd else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def fields(data: bytes) -> dict[int, Any]:
    """The fields of a protocol buffer by number; of one that is repeated, the last."""
    found: dict[int, Any] = {}
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(data):
        key = varint()
        size = {1: 8, 5: 4}.get(key & 7) or (varint() if key & 7 == 2 else 0)
        found[key >> 3] = data[place : place + size] if size or key & 7 == 2 else varint()
        place += size
    return found


def test_the_checksum_is_that_of_the_standard() -> None:
    # RFC 3720, B.4: 32 bytes of zeros have the CRC-32C 0x8A9136AA.
    rotated = (0x8A9136AA >> 15 | 0x8A9136AA << 17) & 0xFFFFFFFF
    assert masked_crc(bytes(32)) == (rotated + 0xA282EAD8) % 2**32


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    found = []
    for path in sorted(folder.iterdir()):
        for event in events(path):
            if 5 in event:
                value = fields(fields(event[5])[1])
                if 2 in value:
                    found.append(
                        (event.get(2, 0), value[1].decode(), struct.unpack("<f", value[2])[0])
                    )
    return found


def test_event_files_have_every_value(registry: Registry, tmp_path: Path) -> None:
    tracker = opened(registry, "tensorboard", tmp_path)
    send(tracker, LINES)
    tracker.log_text(20, "sample", "Ä\n  b")
    tracker.finish(RESULT, "finished")
    tracker.close()
    expected = [(step, name, value) for step, line in LINES for name, value in line.items()]
    expected += [(30, "scores/validation", 2.25), (30, "scores/test", 2.5)]
    found = scalars(tmp_path / "tensorboard")
    assert [(step, name) for step, name, _ in found] == [(s, n) for s, n, _ in expected]
    for (_, _, value), (_, _, true) in zip(found, expected, strict=True):
        assert value == pytest.approx(true, rel=1e-7)  # 32 bits


def test_a_resumed_event_file_voids_the_later_steps_of_earlier_ones(
    registry: Registry, tmp_path: Path
) -> None:
    for last, first_step in ((None, 0), (20, 21)):
        opened(registry, "tensorboard", tmp_path, resumed_from=last).close()
        newest = max((tmp_path / "tensorboard").iterdir())
        version, start, *_ = events(newest)
        assert version[3] == b"brain.Event:2"
        assert fields(start[7]) == {1: 1}  # session_log.status is START
        assert start[2] == first_step


def test_runs_in_one_folder_of_tensorboard_are_apart(registry: Registry, tmp_path: Path) -> None:
    for name in ("one", "two"):
        opened(registry, "tensorboard", tmp_path / name, folder=tmp_path / "logs").close()
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["one", "two"]


class StandIn(ModuleType):
    """The three functions as the services document them; `calls` has what they received."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: list[tuple[str, Any]] = []
        self.Html = lambda text, inject: ("Html", text)
        self.Markdown = lambda text: ("Markdown", text)
        self.Text = lambda text: ("Text", text)
        self.Settings = dict

    def init(self, **arguments: Any) -> None:
        self.calls.append(("init", arguments))

    def log(self, values: Mapping[str, Any], *, step: int) -> None:
        self.calls.append(("log", (step, values)))

    def finish(self, *how: Any, **named: Any) -> None:
        self.calls.append(("finish", how or named))


@pytest.mark.parametrize(
    ("name", "text", "ended"),
    [
        ("wandb", ("Html", "<pre>a &lt; b</pre>"), {"exit_code": 0}),
        ("trackio", ("Markdown", "```\na < b\n```"), {}),
        ("swanlab", ("Text", "a < b"), ("success",)),
    ],
)
def test_a_service_receives_steps_texts_scores_and_the_end(
    name: str,
    text: Any,
    ended: Any,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = StandIn(name)
    monkeypatch.setitem(sys.modules, name, module)
    tracker = opened(registry, "wandb", tmp_path, module=name, mode="offline", project="p")
    send(tracker, LINES)
    tracker.log_text(30, "sample", "a < b")
    tracker.finish(RESULT, "finished")
    tracker.close()
    (_, arguments), *calls = module.calls
    assert arguments["project"] == "p"
    assert arguments["config"] == {"name": "mine", "train": {"seed": 1}}
    assert arguments["resume"] == "allow"
    assert calls[:3] == [("log", line) for line in LINES]
    assert calls[3] == ("log", (30, {"sample": text}))
    assert calls[4] == ("log", (30, {"scores/validation": 2.25, "scores/test": 2.5}))
    assert calls[5:] == [("finish", ended)]


@pytest.mark.parametrize("name", ["wandb", "trackio", "swanlab"])
def test_a_module_that_is_not_installed_is_named_with_its_command(
    name: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=f"install it with: pip install {name}$"):
        opened(registry, "wandb", tmp_path, module=name)


def test_every_tracker_has_a_description_of_each_option(registry: Registry) -> None:
    for entry in registry.registered("tracker"):
        model: type[Options] = entry.spec.options
        assert all(field.description for field in model.model_fields.values())


_RECIPE = """\
name: small
corpus: {name: pastiche, options: {size_bytes: 30000}}
tokenizer: {name: bytes}
architecture: {name: gru, options: {hidden_size: 8}}
train:
  batch_size: 8
  bptt_length: 16
  optimizer: {learning_rate: 0.01}
  budget: {steps: 30}
  log_every_steps: 10
sample: {length: 10}
baselines: {include: []}
runtime: {threads: 1, device: cpu}
"""


def trained_with(folder: Path, *trackers: str) -> Path:
    """A run from the command line; skips where a module is missing."""
    (folder / "small.yaml").write_text(_RECIPE)
    given = [part for tracker in trackers for part in ("--tracker", tracker)]
    done = subprocess.run(
        [sys.executable, "-m", "seqzoo", "run", "small.yaml", *given],
        cwd=folder,
        env=environment(TRACKIO_DIR=str(folder / "trackio"), HOME=str(folder)),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stderr, done.stderr
    return folder / "runs" / "small"


def require(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed (pip install -e '.[{name}]')")


@pytest.mark.slow
def test_tensorboard_reads_a_run(tmp_path: Path) -> None:
    require("tensorboard")
    run = trained_with(tmp_path, "tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(run / "tensorboard"))
    read.Reload()
    assert [event.step for event in read.Scalars("bits_per_byte")] == [10, 20, 30]
    texts = [event.tensor_proto.string_val[0] for event in read.Tensors("recipe")]
    assert b'"hidden_size": 8' in texts[0]


@pytest.mark.slow
def test_wandb_stores_a_run_offline(tmp_path: Path) -> None:
    require("wandb")
    run = trained_with(tmp_path, "wandb={mode: offline}")
    (stored,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    data = stored.read_bytes()
    assert b"validation_bits_per_byte" in data
    assert b"scores/test" in data
    assert json.loads((run / "origin.json").read_text())["id"] in stored.name


@pytest.mark.slow
@pytest.mark.parametrize("module", ["trackio", "swanlab"])
def test_the_other_modules_store_a_run_offline(module: str, tmp_path: Path) -> None:
    require(module)
    run = trained_with(tmp_path, f"wandb={{module: {module}, mode: offline}}")
    folder = tmp_path / "trackio" if module == "trackio" else run / "swanlab"
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"validation_bits_per_byte" in written
    assert os.fsencode(run.name) in written
