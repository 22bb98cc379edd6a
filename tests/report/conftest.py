from __future__ import annotations

import _socket
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL

import seqzoo


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reported")


@pytest.fixture
def small(small_folder: Path) -> seqzoo.Run:
    """A finished run of a small LSTM; tests do not change it."""
    if not (small_folder / "small").exists():
        seqzoo.run(yaml.safe_load(SMALL), root=small_folder, name="small")
    return seqzoo.open_run(small_folder / "small")


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch, _no_network: None) -> None:
    """Connections to this machine are possible, and no others."""

    def connect(self: socket.socket, address: Any) -> None:
        if address[0] != "127.0.0.1":
            raise OSError("tests use no network")
        _socket.socket.connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
