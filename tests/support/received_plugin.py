"""A plugin file: a tracker that writes down what it receives, and can fail in many ways."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import seqzoo


class Odd(BaseException):
    """No Exception, as plugins can have their own."""


class ReceivedOptions(seqzoo.Options):
    where: str = ""
    how: str = ""
    file: str = "received.jsonl"


def boom() -> NoReturn:
    raise RuntimeError("boom")


def odd() -> NoReturn:
    raise Odd


def generator_exit() -> NoReturn:
    raise GeneratorExit


def keyboard_interrupt() -> NoReturn:
    raise KeyboardInterrupt


def leave() -> NoReturn:
    sys.exit("enough")


def quit_at_once() -> NoReturn:
    os._exit(7)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def block() -> None:
    time.sleep(600)


def spin() -> NoReturn:
    while True:
        pass


def slow() -> None:
    time.sleep(0.05)


def leave_at_exit() -> None:
    atexit.register(leave)


def write_everywhere() -> None:
    for file in range(3, 20):
        with contextlib.suppress(OSError):
            os.write(file, b"nonsense\n")


def talk() -> None:
    print("\x1b[1mstep\x1b[0m")


def change_torch() -> None:
    import torch

    torch.manual_seed(random.randrange(1000))
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)


FAULTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        *(boom, odd, generator_exit, keyboard_interrupt, leave, quit_at_once, crash, block),
        *(spin, slow, leave_at_exit, write_everywhere, talk, change_torch),
    )
}


class Received(seqzoo.Tracker):
    def __init__(self, options: ReceivedOptions, context: seqzoo.TrackerContext) -> None:
        self._options = options
        self._path = context.run_directory / options.file
        self._write(
            "open",
            {
                "resumed_from": context.resumed_from,
                "run_id": context.run_id,
                "run_name": context.run_name,
                "hidden_size": context.recipe["architecture"]["options"]["hidden_size"],
                "has_torch": "torch" in sys.modules,
            },
        )

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._write("log", step, dict(metrics))

    def log_text(self, step: int, name: str, text: str) -> None:
        self._write("log_text", step, name, text)

    def finish(self, result: Mapping[str, Any] | None, status: seqzoo.RunEnd) -> None:
        self._write("finish", result and result["weights_sha256"], status)

    def close(self) -> None:
        self._write("close")

    def _write(self, *call: Any) -> None:
        if self._options.where == call[0]:
            FAULTS[self._options.how]()
        with self._path.open("a") as file:
            file.write(json.dumps(call) + "\n")


@seqzoo.hookimpl
def register_trackers() -> Iterable[seqzoo.TrackerSpec]:
    return [
        seqzoo.TrackerSpec(
            name="received", summary="for tests", options=ReceivedOptions, open=Received
        )
    ]
