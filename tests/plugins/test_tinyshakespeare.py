"""The lookup order, and that every copy is checked before it is used or kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from seqzoo import Corpus, CorpusContext, CorpusUnavailable, UsageError
from seqzoo.data.corpus import sha256_of
from seqzoo.plugin.registry import Registry
from seqzoo_plugins.published.texts import TINYSHAKESPEARE

SHA256, SIZE_BYTES = TINYSHAKESPEARE.sha256, TINYSHAKESPEARE.size_bytes


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def open_(registry: Registry, **options: Any) -> Corpus:
    spec = registry.get("corpus", "tinyshakespeare")
    corpus: Corpus = spec.open(spec.options(**options), CorpusContext(base=Path()))
    return corpus


def serve(monkeypatch: pytest.MonkeyPatch, data: bytes | OSError) -> list[str]:
    """Downloads return data or fail; returns the requested addresses."""
    asked: list[str] = []

    def answer(url: str, **_: Any) -> bytes:
        asked.append(url)
        if isinstance(data, OSError):
            raise data
        return data

    monkeypatch.setattr("seqzoo_plugins.published.download.download", answer)
    return asked


def kept(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def test_the_users_copy_comes_first(
    registry: Registry, tinyshakespeare: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setenv("SEQZOO_DATA", str(tinyshakespeare.parent))
    asked = serve(monkeypatch, b"")
    corpus = open_(registry)
    assert len(corpus.data) == SIZE_BYTES
    assert sha256_of(corpus.data) == SHA256
    assert corpus.origin == str(tinyshakespeare)
    assert asked == []
    assert kept(cache) == []


def test_a_wrong_copy_of_the_user_is_never_used(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tinyshakespeare.txt").write_bytes(b"To be")
    monkeypatch.setenv("SEQZOO_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=f"begins [0-9a-f]{{12}}, expected {SHA256[:12]}"):
        open_(registry)


def test_a_download_is_kept_and_not_repeated(
    registry: Registry, tinyshakespeare: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    asked = serve(monkeypatch, tinyshakespeare.read_bytes())
    assert sha256_of(open_(registry).data) == SHA256
    assert sha256_of(open_(registry, download=False).data) == SHA256
    assert len(asked) == 1
    assert len(kept(cache)) == 1


def test_a_damaged_cached_copy_is_fetched_again(
    registry: Registry, tinyshakespeare: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    asked = serve(monkeypatch, tinyshakespeare.read_bytes())
    place = cache / "tinyshakespeare" / "tinyshakespeare.txt"
    place.parent.mkdir(parents=True)
    shutil.copyfile(tinyshakespeare, place)
    with place.open("r+b") as file:
        file.write(b"Last")
    assert sha256_of(open_(registry).data) == SHA256
    assert len(asked) == 1


@pytest.mark.parametrize("data", [b"", b"First Citizen:\nBefore we", b"<html>"])
def test_a_wrong_download_leaves_no_file(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, cache: Path, data: bytes
) -> None:
    serve(monkeypatch, data)
    with pytest.raises(CorpusUnavailable, match="wrong sha256"):
        open_(registry)
    assert kept(cache) == []


def test_a_missing_network_is_reported_in_one_sentence(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    serve(monkeypatch, OSError(101, "Network is unreachable"))
    with pytest.raises(CorpusUnavailable) as caught:
        open_(registry)
    assert "could not be downloaded (Network is unreachable)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert kept(cache) == []


def test_the_real_downloader_reports_a_missing_network_in_one_sentence(registry: Registry) -> None:
    with pytest.raises(CorpusUnavailable) as caught:
        open_(registry)
    assert "could not be downloaded" in str(caught.value)
    assert len(str(caught.value)) < 250


def test_downloading_can_be_switched_off(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serve(monkeypatch, b"")
    with pytest.raises(CorpusUnavailable, match="downloading is off"):
        open_(registry, download=False)
    assert asked == []
