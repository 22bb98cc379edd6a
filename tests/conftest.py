"""Fixtures of all tests: a private cache, no network, one thread, the registry of plugins."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from seqzoo.plugin.registry import Registry, load_registry

# A first call imports and warms up for longer than any deadline for one example.
hypothesis.settings.register_profile("seqzoo", deadline=None)
hypothesis.settings.load_profile("seqzoo")


# A shell starts background processes with SIGINT ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """All installed plugins, also those of other packages. Tests do not change it.

    Plugin files that the recipes of tests name may run.
    """
    return load_registry(trust=True)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _private_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fixtures of modules do not write to the user's record of trusted files either."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _private_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Tests do not use the cache, the data and the settings of the user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    shared = tmp_path_factory.getbasetemp() / "seqzoo-cache"
    monkeypatch.setenv("SEQZOO_CACHE", str(shared))
    for name in ("DATA", "DISABLE", "LOAD_PLUGINS", "STRICT_PLUGINS"):
        monkeypatch.delenv(f"SEQZOO_{name}", raising=False)


@pytest.fixture
def seeded() -> None:
    """The same weights each time."""
    import torch

    torch.manual_seed(0)


@pytest.fixture
def fast_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor reads batches without a pause: nothing reads ahead that would need time for it."""
    monkeypatch.setattr("seqzoo.doctor.subject._PAUSE_S", 0.0)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("tests use no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


_DATA = os.environ.get("SEQZOO_DATA")


@pytest.fixture(scope="session")
def tinyshakespeare() -> Path:
    """The real file; skips the test with a reason if this machine does not have it."""
    folders = [Path(_DATA)] if _DATA else []
    folders.append(Path(__file__).parents[2] / "shared" / "data")
    for folder in folders:
        if (path := folder / "tinyshakespeare.txt").is_file():
            return path
    pytest.skip("tinyshakespeare.txt is not on this machine (set SEQZOO_DATA to its folder)")
