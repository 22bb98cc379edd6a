"""The page that is served while a run trains: for this machine only, and nothing is written."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from commands import SMALL, environment
from html_pages import PageReader

import seqzoo
from seqzoo.errors import UsageError
from seqzoo.report.live import LiveServer

pytestmark = pytest.mark.usefixtures("loopback")


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def run(small: seqzoo.Run, tmp_path: Path) -> Path:
    shutil.copytree(small.path, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def server(run: Path) -> Iterator[LiveServer]:
    with LiveServer(run, port=0) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(
    server: LiveServer, path: str = "/", method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def test_the_page_is_whole_and_its_policy_allows_its_scripts_only(server: LiveServer) -> None:
    status, headers, body = ask(server)
    assert status == 200
    page = PageReader(body)
    assert page.dangers == []
    assert "<polyline" in body
    assert "Finished." in page.text
    assert "sha256-" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil"])
@pytest.mark.parametrize("path", ["/", "/live"])
def test_other_names_of_this_machine_get_nothing(server: LiveServer, host: str, path: str) -> None:
    status, _, body = ask(server, path, Host=host)
    assert status == 403
    assert "run" not in body


def test_it_listens_on_this_machine_only(server: LiveServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    for host in (f"localhost:{server.server_port}", "localhost:8000", "127.0.0.1", "LOCALHOST"):
        assert ask(server, Host=host)[0] == 200  # a tunnel has another port, port 80 has none


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/../../etc/passwd", 404), ("GET", "/recipe.yaml", 404),
        ("GET", "http://evil.example/", 403), ("POST", "/", 501), ("PUT", "/live", 501),
        ("DELETE", "/", 501), ("HEAD", "/", 200), ("HEAD", "/nothing", 404),
    ],
)  # fmt: skip
def test_there_is_nothing_else_to_ask_for(
    server: LiveServer, method: str, path: str, expected: int
) -> None:
    status, _, body = ask(server, path, method)
    assert status == expected
    if method == "HEAD":
        assert body == ""


def test_new_points_and_samples_appear_and_nothing_new_is_not_sent_again(
    server: LiveServer, run: Path
) -> None:
    _, headers, first = ask(server, "/live")
    seen = headers["ETag"]
    status, headers, body = ask(server, "/live", If_None_Match=seen)
    assert (status, headers["ETag"], body) == (304, seen, "")
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 500, "bits_per_byte": 1.5}) + "\n")
    (run / "samples" / "step-500.txt").write_text("a new <sample>")
    server.now._next = 0.0  # as if time had passed
    status, headers, body = ask(server, "/live", If_None_Match=seen)
    assert status == 200
    assert headers["ETag"] != seen
    assert "a new &lt;sample&gt;" in body
    assert body.index("Update 500") < body.index("Update 25")
    assert body != first


def test_a_damaged_log_is_a_sentence_and_the_page_lives(server: LiveServer, run: Path) -> None:
    before = (run / "metrics.jsonl").read_text()
    ask(server, "/live")
    (run / "metrics.jsonl").write_text("{}\n")
    server.now._next = 0.0
    status, _, body = ask(server, "/live")
    assert status == 200
    assert "metrics.jsonl:1" in body
    (run / "metrics.jsonl").write_text(before)
    server.now._next = 0.0
    assert "<polyline" in ask(server, "/live")[2]


def test_text_is_not_made_more_often_than_training_can_bear(
    server: LiveServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def make() -> str:
        made.append(1)
        time.sleep(0.02)
        return f"text {len(made)}"

    monkeypatch.setattr(server.now, "_made", make)
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        with (run / "metrics.jsonl").open("a") as file:
            file.write('{"step": 500}\n')
        server.now.text()
    assert len(made) <= 4  # a twentieth of the time


@pytest.mark.parametrize("line", ['{"step": 1, "bits_per_byte": 1e17}', '{"step": 1}'])
def test_unusual_logs_have_a_page(server: LiveServer, run: Path, line: str) -> None:
    (run / "metrics.jsonl").write_text(f"{line}\n")
    (run / "timing.jsonl").unlink()
    status, _, body = ask(server)
    assert status == 200
    assert PageReader(body).dangers == []
    assert "Error" not in body


def test_the_run_is_not_written_to(server: LiveServer, run: Path) -> None:
    before = contents(run)
    for path in ("/", "/live", "/nothing"):
        ask(server, path)
    assert contents(run) == before


def test_a_port_in_use_is_one_sentence(server: LiveServer, run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} cannot be used"):
            LiveServer(run, port=port)


def test_ctrl_c_ends_it_and_leaves_the_run_as_it_was(run: Path) -> None:
    before = contents(run)
    command = [sys.executable, "-m", "seqzoo", "report", "run", "--live"]
    with subprocess.Popen(
        command, cwd=run.parent, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        port = int(address.rsplit(":", 1)[1].strip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "no longer served" in messages
    assert "Traceback" not in messages
    assert contents(run) == before


def test_a_run_that_is_watched_has_the_weights_of_one_that_is_not(
    small: seqzoo.Run, tmp_path: Path
) -> None:
    watched = tmp_path / "small"
    over = threading.Event()
    found = []

    def watch() -> None:
        deadline = time.monotonic() + 120
        while not (watched / "metrics.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        with LiveServer(watched, port=0) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            while not over.is_set() and time.monotonic() < deadline:
                server.now._next = 0.0
                found.append(ask(server, "/live")[2])
                time.sleep(0.02)
            server.now._next = 0.0
            found.append(ask(server, "/live")[2])
            server.shutdown()
            thread.join()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        done = seqzoo.run(yaml.safe_load(SMALL), root=tmp_path, name="small")
    finally:
        over.set()
    watcher.join()
    assert done.result is not None
    assert small.result is not None
    assert done.result.weights_sha256 == small.result.weights_sha256
    assert len(set(found)) > 2
    assert "Finished." in found[-1]
