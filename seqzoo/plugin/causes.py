"""Why a plugin could not be loaded: one sentence from whatever it raised, and what to do."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from seqzoo.errors import PluginError, did_you_mean
from seqzoo.plugin.specs import Spec
from seqzoo.terminal.format import pip_install, quoted
from seqzoo.version import __version__

__all__ = ["Cause", "cause_of", "why"]

_HOST = Path(__file__).parents[1]
_LONGEST = 300
"""Characters of a message that are shown."""


class Cause(NamedTuple):
    """What went wrong, without a full stop, and the command that probably helps, or ""."""

    sentence: str
    command: str = ""


def why(error: BaseException, entry_point: metadata.EntryPoint | None = None) -> Cause:
    """The cause and the command for an error that loading an entry point, or a file, raised."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error, error.name, entry_point)
    return Cause(cause_of(error))


def cause_of(error: BaseException) -> str:
    """The error in one line, with its type where the message alone does not say enough.

    File and line are those of the plugin, where the error has any.
    """
    message = _message(error)
    if isinstance(error, PluginError):
        return message
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) while loading"
    if isinstance(error, SyntaxError):
        return f"syntax error in {error.filename}, line {error.lineno}: {error.msg}"
    place = _place(error.__traceback__)
    if isinstance(error, ImportError) and message:
        return f"{_without_path(message)}{_of_seqzoo(error)}{place}"
    if isinstance(error, TypeError) and (about_spec := _of_spec(message)):
        return f"{about_spec[0]}{place}{about_spec[1]}"
    name = type(error).__name__
    return f"{name}: {message}{place}" if message else f"{name}{place}"


def _message(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split()).rstrip(".")
    except Exception:  # __str__ is the plugin's code
        return "its message cannot be shown"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _place(trace: TracebackType | None) -> str:
    """The last line that ran in the plugin's own folder: " (file.py, line 3)"."""
    own: Path | None = None
    place = ""
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if own is None and _is_plugin(file):
            own = file.parent
        if own is not None and own in file.parents:
            name = f"{file.parent.name}/{file.name}" if file.stem == "__init__" else file.name
            place = f" ({name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


def _is_plugin(file: Path) -> bool:
    """Whether a file is neither the host's nor part of the machinery that imports and calls."""
    if str(file).startswith("<") or _HOST in file.parents:
        return False
    return not {"importlib", "pluggy"} & set(file.parts[-3:-1])


def _without_path(message: str) -> str:
    """Without the location that Python adds to "cannot import name"; it is a long path."""
    return re.sub(r" \((/|[A-Za-z]:\\|unknown location)[^()]*\)$", "", message)


def _of_seqzoo(error: ImportError) -> str:
    """An addition where the plugin imports a name that this seqzoo does not have."""
    if (error.name or "").partition(".")[0] != _HOST.name:
        return ""
    return f", which this seqzoo ({__version__}) does not have; it is made for another version"


def _missing_module(
    error: ModuleNotFoundError, name: str, entry_point: metadata.EntryPoint | None
) -> Cause:
    module = entry_point.module if entry_point is not None else ""
    distribution = entry_point.dist if entry_point is not None else None
    package = (distribution.name if distribution is not None else None) or ""
    if f"{module}.".startswith(f"{name}."):
        sentence = f"its module '{module}' does not exist"
        if package:
            return Cause(
                f"{sentence}, because the package was removed or moved",
                f"pip uninstall {quoted(package)}",
            )
        return Cause(f"{sentence}, because the package was removed and its entry point was not")
    place = _place(error.__traceback__)
    if name.partition(".")[0] == module.partition(".")[0]:
        command = f"pip install --force-reinstall {quoted(package)}" if package else ""
        return Cause(f"a part of the package is missing, the module '{name}'{place}", command)
    if name.partition(".")[0] == _HOST.name:
        return Cause(f"it needs the module '{name}'{_of_seqzoo(error)}{place}")
    packages = _uninstalled(distribution) or [name.partition(".")[0]]
    command = " ".join([pip_install(packages[0]), *map(quoted, packages[1:])])
    return Cause(f"it needs the module '{name}', which is not installed{place}", command)


def _uninstalled(distribution: metadata.Distribution | None) -> list[str]:
    """What the package requires and what is not installed; optional requirements are left out."""
    missing = []
    for requirement in (distribution.requires or []) if distribution is not None else []:
        found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
        if found is None or ";" in requirement:
            continue
        try:
            metadata.distribution(found[0])
        except metadata.PackageNotFoundError:
            missing.append(found[0])
    return missing


def _of_spec(message: str) -> tuple[str, str] | None:
    """What is wrong with the arguments of a spec, in place of Python's sentence, and a hint."""
    called = re.match(r"(\w+)\.__init__\(\) (.*)", message)
    spec = called and next((each for each in _specs(Spec) if each.__name__ == called[1]), None)
    if not called or spec is None:
        return None
    if unknown := re.match(r"got an unexpected keyword argument '(\w+)'", called[2]):
        known = [name for name in spec.__dataclass_fields__ if name != unknown[1]]
        meant = did_you_mean(unknown[1], known)
        hint = meant if "Did you mean" in meant else " The plugin may be made for a newer seqzoo."
        return f"{spec.__name__} of seqzoo {__version__} has no argument '{unknown[1]}'", f".{hint}"
    if "missing" in called[2]:
        missing = " and ".join(re.findall(r"'\w+'", called[2]))
        return f"{spec.__name__} needs {missing}", ""
    if "positional" in called[2]:
        by_name = f"{spec.__name__} takes its arguments by name"
        return by_name, f", as in {spec.__name__}(name=...)"
    return None


def _specs(spec: type[Spec]) -> list[type[Spec]]:
    return [spec, *(each for below in spec.__subclasses__() for each in _specs(below))]
