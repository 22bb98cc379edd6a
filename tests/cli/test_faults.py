"""An OSError becomes one sentence that only says what is certain."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from seqzoo.cli.faults import exit_code_of, sentence_of_fault
from seqzoo.terminal.streams import RESULTS


def fault(number: int, path: str | Path | None = None) -> OSError:
    return OSError(number, os.strerror(number), *([] if path is None else [str(path)]))


def test_a_missing_folder_is_told_from_a_missing_file(tmp_path: Path) -> None:
    inside, absent = tmp_path / "absent.txt", tmp_path / "folder" / "absent.txt"
    with pytest.raises(FileNotFoundError) as file:
        inside.read_text()
    assert sentence_of_fault(file.value) == f"{inside}: there is no such file or folder."
    with pytest.raises(FileNotFoundError) as folder:
        absent.write_text("")
    assert sentence_of_fault(folder.value) == f"The folder {absent.parent} does not exist."


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:
        (tmp_path / "file" / "inside" / "x").write_text("")
    assert sentence_of_fault(caught.value) == f"{tmp_path / 'file'} is a file, expected a folder."
    with pytest.raises(IsADirectoryError) as other:
        tmp_path.write_text("")
    assert sentence_of_fault(other.value) == f"{tmp_path} is a folder, expected a file."


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("path", ["runs/x", None, RESULTS])
def test_the_cause_that_the_system_gives_is_in_the_sentence(number: int, path: str | None) -> None:
    error = fault(number, path)
    sentence = sentence_of_fault(error)
    assert os.strerror(number) in sentence
    assert exit_code_of(error) == 3
    assert ("room" in sentence) == (number == errno.ENOSPC and path != RESULTS)


def test_a_wrong_path_is_a_mistake_of_the_command_line() -> None:
    assert exit_code_of(fault(errno.ENOENT, "x/y")) == 2


def test_a_lost_result_says_nothing_of_files_that_a_command_may_not_have_written() -> None:
    assert "Files" not in sentence_of_fault(fault(errno.ENOSPC, RESULTS))


def test_of_a_file_that_cannot_be_made_the_folder_needs_the_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def access(path: Path, mode: int) -> bool:
        return not mode & os.W_OK

    monkeypatch.setattr(os, "access", access)  # root may write everywhere
    (tmp_path / "old").touch()
    for name in ("old", "new"):
        sentence = sentence_of_fault(fault(errno.EACCES, tmp_path / name))
        assert sentence.endswith(f"you need the permission to write in the folder {tmp_path}.")
    monkeypatch.setattr(os, "access", lambda *_: False)
    sentence = sentence_of_fault(fault(errno.EACCES, tmp_path / "old"))
    assert sentence.endswith(
        "old: Permission denied; change its permissions or choose another place."
    )
