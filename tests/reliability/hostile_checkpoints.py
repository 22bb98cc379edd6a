"""What a stranger may put into a run's folder: each a name, and a function that changes a run.

A checkpoint whose hashes are right is made by `_sign`: the manifest is written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqzoo.training.manifest import MANIFEST, PARTS, STATE, WEIGHTS

__all__ = ["CANARY", "HOSTILE", "VICTIM"]

CANARY = "canary"
"""A file beside the runs that only executed code makes."""

VICTIM = "diary.txt"
"""A file beside the runs that nothing may change."""

Hostile = Callable[[Path], None]


class _Payload:
    def __reduce__(self) -> Any:
        return os.system, (f"touch {CANARY}",)


def _sign(step: Path) -> None:
    """Write the manifest again, with the sizes and hashes of what is there."""
    manifest = json.loads((step / MANIFEST).read_text())
    for name in manifest["files"]:
        content = (step / name).read_bytes()
        manifest["files"][name] = {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    (step / MANIFEST).write_text(json.dumps(manifest))


def _replaced(name: str, content: bytes, *, is_signed: bool = True) -> Hostile:
    """A file of every checkpoint, so that none can take its place."""

    def change(run: Path) -> None:
        for step in (run / "checkpoints").glob("step-*"):
            (step / name).write_bytes(content)
            if is_signed and name != MANIFEST:
                _sign(step)

    return change


def _with_state(change: Callable[[dict[str, Any]], Any]) -> Hostile:
    """state.json of every checkpoint, with right hashes."""

    def apply(run: Path) -> None:
        for step in (run / "checkpoints").glob("step-*"):
            state = json.loads((step / STATE).read_text())
            changed = change(state)
            (step / STATE).write_text(json.dumps(state if changed is None else changed))
            _sign(step)

    return apply


def _in_run(name: str, content: bytes) -> Hostile:
    def change(run: Path) -> None:
        (run / name).write_bytes(content)

    return change


def _linked(name: str, target: str) -> Hostile:
    """A link in the place of a file; `{folder}` is that of the victim."""

    def change(run: Path) -> None:
        for path in _places(run, name):
            path.unlink(missing_ok=True)
            path.symlink_to(target.format(folder=run.parents[1]))

    return change


def _pipe(name: str) -> Hostile:
    def change(run: Path) -> None:
        for path in _places(run, name):
            path.unlink(missing_ok=True)
            os.mkfifo(path)

    return change


def _sparse(name: str, size: int) -> Hostile:
    def change(run: Path) -> None:
        for path in _places(run, name):
            path.touch()
            os.truncate(path, size)

    return change


def _places(run: Path, name: str) -> list[Path]:
    if name in (MANIFEST, STATE, *PARTS.values()):
        return [step / name for step in (run / "checkpoints").glob("step-*")]
    return [run / name]


def _folder(name: str) -> Hostile:
    def change(run: Path) -> None:
        for path in _places(run, name):
            path.unlink(missing_ok=True)
            path.mkdir()

    return change


def _names_outside(run: Path) -> None:
    for step in (run / "checkpoints").glob("step-*"):
        manifest = json.loads((step / MANIFEST).read_text())
        manifest["files"] = {f"../../../../{VICTIM}": {"bytes": 10, "sha256": "0" * 64}}
        (step / MANIFEST).write_text(json.dumps(manifest))


def _header(entries: Mapping[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def _tensor(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def _deleted(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        for key in keys:
            del state[key]

    return change


def _set(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda state: state.update(values)


_PICKLE = pickle.dumps(_Payload())
_DEEP = b"[" * 200_000
_LONG = b'{"step": ' + b"9" * 5_000 + b"}"
_TENSOR = _tensor(0, 4, [1])

HOSTILE: dict[str, Hostile] = {
    **{f"a pickle as {name}": _replaced(name, _PICKLE) for name in (*PARTS.values(), STATE)},
    "a pickle as the manifest": _replaced(MANIFEST, _PICKLE),
    "a pickle as recipe.yaml": _in_run("recipe.yaml", _PICKLE),
    "a pickle as origin.json": _in_run("origin.json", _PICKLE),
    "a pickle as result.json": _in_run("result.json", _PICKLE),
    "a tag of Python in recipe.yaml": _in_run(
        "recipe.yaml", f"a: !!python/object/apply:os.system ['touch {CANARY}']\n".encode()
    ),
    "a header of 2**63 bytes": _replaced(WEIGHTS, struct.pack("<Q", 2**63)),
    "a header of 2**64 - 1 bytes": _replaced(WEIGHTS, b"\xff" * 8 + b"{}"),
    "a header of 100 MB": _replaced(WEIGHTS, struct.pack("<Q", 100_000_000) + b"{}"),
    "offsets outside": _replaced(WEIGHTS, _header({"a": _tensor(0, 2**40, [2**38])}, b"1234")),
    "offsets that overlap": _replaced(WEIGHTS, _header({"a": _TENSOR, "b": _TENSOR}, b"1234")),
    "offsets in reverse": _replaced(WEIGHTS, _header({"a": _tensor(4, 0, [1])}, b"1234")),
    "negative offsets": _replaced(WEIGHTS, _header({"a": _tensor(-4, 0, [1])}, b"1234")),
    "a shape that overflows": _replaced(
        WEIGHTS, _header({"a": _tensor(0, 4, [2**32, 2**32])}, b"1234")
    ),
    "an unknown type of numbers": _replaced(
        WEIGHTS, _header({"a": _tensor(0, 4, [1], "X99")}, b"1234")
    ),
    "no tensors": _replaced(WEIGHTS, _header({})),
    "tensors with control bytes in their names": _replaced(
        WEIGHTS, _header({"\x1b]0;owned\x07": _TENSOR}, b"1234")
    ),
    "an empty file of weights": _replaced(WEIGHTS, b""),
    "a deep header": _replaced(WEIGHTS, struct.pack("<Q", len(_DEEP)) + _DEEP),
    "a deep manifest": _replaced(MANIFEST, _DEEP),
    "a deep state.json": _replaced(STATE, _DEEP),
    "a deep origin.json": _in_run("origin.json", _DEEP),
    "a deep metrics.jsonl": _in_run("metrics.jsonl", _DEEP + b"\n"),
    "a manifest with a number of 5,000 digits": _replaced(MANIFEST, _LONG),
    "a state.json with a number of 5,000 digits": _replaced(STATE, _LONG),
    "a manifest that names files outside": _names_outside,
    "a manifest of NaN": _replaced(MANIFEST, b'{"format_version": NaN, "step": 1, "files": {}}'),
    "state.json as a list": _with_state(lambda _: [1, 2]),
    "state.json as null": _replaced(STATE, b"null"),
    "state.json without best": _with_state(_deleted("best")),
    "state.json without spent": _with_state(_deleted("spent")),
    "state.json without runtime": _with_state(_deleted("runtime")),
    "state.json without logs": _with_state(_deleted("logs")),
    "state.json with text as spent": _with_state(_set(spent="much")),
    "state.json with NaN": _with_state(_set(tokens_seen=float("nan"))),
    "state.json with a stream of text": _with_state(_set(stream={"position": "x", "epoch": []})),
    "state.json with negative logs": _with_state(_set(logs={"metrics": -5, "timing": -5})),
    "state.json with huge logs": _with_state(_set(logs={"metrics": 2**62, "timing": 2**62})),
    "state.json with a huge thread count": _with_state(
        lambda state: state["runtime"].update(threads=10**9)
    ),
    "state.json with a list as tokenizer": _with_state(_set(tokenizer=[[[]]])),
    **{f"a pipe as {name}": _pipe(name) for name in (WEIGHTS, MANIFEST, "origin.json")},
    **{f"a pipe as {name}": _pipe(name) for name in ("recipe.yaml", "metrics.jsonl", "lock")},
    "a pipe as result.json": _pipe("result.json"),
    **{f"a link to /dev/zero as {name}": _linked(name, "/dev/zero") for name in (WEIGHTS, STATE)},
    "a link to /dev/zero as the manifest": _linked(MANIFEST, "/dev/zero"),
    "a link to /dev/zero as recipe.yaml": _linked("recipe.yaml", "/dev/zero"),
    "a link to /dev/zero as result.json": _linked("result.json", "/dev/zero"),
    **{
        f"a link to a file of the user as {name}": _linked(name, "{folder}/" + VICTIM)
        for name in ("lock", "metrics.jsonl", "timing.jsonl", "trackers.json")
    },
    "a sparse terabyte as weights": _sparse(WEIGHTS, 1 << 40),
    "a sparse terabyte as the manifest": _sparse(MANIFEST, 1 << 40),
    "a sparse terabyte as recipe.yaml": _sparse("recipe.yaml", 1 << 40),
    "a sparse terabyte as origin.json": _sparse("origin.json", 1 << 40),
    "a folder as weights": _folder(WEIGHTS),
    "a folder as the manifest": _folder(MANIFEST),
    "a folder as metrics.jsonl": _folder("metrics.jsonl"),
    "a folder as lock": _folder("lock"),
}
