from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import pytest
from broken_plugins import Install, install_plugin

_numbers = itertools.count()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with one module and one entry point where Python finds it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(source: str | None, **described: Any) -> str:
        module = f"installed_for_a_test_{next(_numbers)}"
        install_plugin(tmp_path, source, module=module, **described)
        # Removed after the test, whether the import succeeded or not.
        monkeypatch.setitem(sys.modules, module, None)
        del sys.modules[module]
        return module

    return install
