"""Processes that have torch already: half of a short command's time is the import of torch.

One server is started for all tests, imports packages of others and nothing of seqzoo, and forks for
each command. What runs is a process of its own, with its own folder, environment, streams and exit
code. Where a test is about how the interpreter starts, `is_possible` says that it needs a new one.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import random
import runpy
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["is_possible", "run_prepared"]

_PACKAGES = (
    "torch",
    "torch._dynamo",  # torch's optimizers load it
    "numpy",
    "pydantic",
    "typer",
    "rich.console",
    "rich.progress",
    "yaml",
    "jaxtyping",
    "safetensors.torch",
    "pluggy",
)

_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "GOMP_", "KMP_")
"""How the names of variables begin that the interpreter and torch read when they start."""


def is_possible(environment: Mapping[str, str]) -> bool:
    """Whether a process in this environment can be forked from the server."""
    return hasattr(os, "fork") and _started_with(environment) == _server()[1]


def run_prepared(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` returns for `python -m ARGUMENTS` in a folder, without input."""
    request = json.dumps([list(arguments), str(folder.resolve()), dict(environment)]).encode()
    connection, end_of_the_process = socket.socketpair()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, connection:
        with end_of_the_process as end:
            files = [end.fileno(), out.fileno(), err.fileno()]
            socket.send_fds(_server()[0], [b"a"], files)
        connection.sendall(struct.pack("!I", len(request)) + request)
        (process,) = struct.unpack("!i", _received(connection, 4))
        connection.settimeout(timeout_s)
        try:
            (status,) = struct.unpack("!i", _received(connection, 4))
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout_s) from None
        texts = []
        for stream in (out, err):
            stream.seek(0)
            # As `subprocess` reads text: every end of line is a line feed.
            text = stream.read().decode("utf-8", errors="replace")
            texts.append(text.replace("\r\n", "\n").replace("\r", "\n"))
    command = [sys.executable, "-m", *arguments]
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), *texts)


@functools.cache
def _server() -> tuple[socket.socket, dict[str, str]]:
    """Where it receives requests, and the variables with which it was started."""
    ours, theirs = socket.socketpair()
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    process = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno())],
        env=environment,
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    atexit.register(process.kill)
    return ours, _started_with(environment)


def _started_with(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environment.items() if name.startswith(_READ_AT_THE_START)
    }


def _received(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the other side of the connection ended")
        data += part
    return data


def _serve(requests: socket.socket) -> None:
    for name in _PACKAGES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    sys.path.pop(0)  # the folder of this file
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
    while True:
        begin, files, _, _ = socket.recv_fds(requests, 1, 3)
        if not begin:
            return  # the tests have ended
        if os.fork() == 0:
            requests.close()
            _answer(socket.socket(fileno=files[0]), files[1:])
            os._exit(0)
        for file in files:
            os.close(file)


def _answer(connection: socket.socket, streams: Sequence[int]) -> None:
    """Start one process, and send its id and, when it has ended, its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    (size,) = struct.unpack("!I", _received(connection, 4))
    request = json.loads(_received(connection, size))
    process = os.fork()
    if process == 0:
        connection.close()
        arguments, folder, environment = request
        _run(arguments, folder, environment, streams)
    connection.sendall(struct.pack("!i", process))
    _, status = os.waitpid(process, 0)
    connection.sendall(struct.pack("!i", status))


def _run(
    arguments: list[str], folder: str, environment: dict[str, str], streams: Sequence[int]
) -> None:
    """Become `python -m ARGUMENTS`; does not return."""
    for stream, place in zip(streams, (1, 2), strict=True):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    sys.argv = ["-m", *arguments[1:]]
    sys.path.insert(0, folder)
    code: Any = 0
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    for stream_ in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream_.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
