from __future__ import annotations

from pathlib import Path

import pytest
from commands import SMALL, seqzoo


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small run that the command line made."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.yaml").write_text(SMALL)
    done = seqzoo("run", "small.yaml", folder=folder, SEQZOO_CACHE=str(folder / "cache"))
    assert done.returncode == 0, done.stderr
    return folder
