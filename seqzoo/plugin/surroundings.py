"""The state of this process that every plugin shares: compared with what it was, and put back.

A plugin that changes torch's default dtype while it is declared would change the runs of all other
plugins. What is looked at is a setting that can be read and written again and that changes results,
messages or files. `sys.path` and the hooks of imports are not: modules that a plugin imports later
may need them. Nothing is imported in order to look at it: settings of torch and numpy are read
where they are loaded, and where a plugin loads them, right after their import.
"""

from __future__ import annotations

import contextlib
import gc
import locale
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Surroundings"]


class _Setting(NamedTuple):
    """One thing that is shared. name: as a message calls it. write: puts a value of `read` back."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


class Surroundings:
    """A context that remembers what is shared when it begins, to put it back again and again."""

    def __init__(self) -> None:
        self._known: dict[str, list[tuple[_Setting, Any]]] = {}
        self._finder = _Noticing(self._remember)

    def __enter__(self) -> Surroundings:
        for module in _SETTINGS:
            if module in sys.modules:
                self._remember(sys.modules[module])
        sys.meta_path.insert(0, self._finder)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self._finder)

    def put_back(self) -> list[str]:
        """Undo every change since the beginning; returns the names of what was changed."""
        changed = []
        for setting, value in [each for known in self._known.values() for each in known]:
            with contextlib.suppress(Exception):
                now = setting.read()
                if now != value:
                    changed.append(_named(setting.name, value, now))
                    setting.write(value)
        return changed

    def _remember(self, module: ModuleType) -> None:
        known = self._known[module.__name__] = []
        for setting in _SETTINGS[module.__name__](module):
            with contextlib.suppress(Exception):  # a system or a version that does not have it
                known.append((setting, setting.read()))


def _named(name: str, before: Any, now: Any) -> str:
    if not isinstance(before, Mapping):
        return name
    names = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    return f"{name} {', '.join(names)}"


class _Noticing(MetaPathFinder):
    """Calls `notice` with a module of `_SETTINGS` when its import is complete."""

    def __init__(self, notice: Callable[[ModuleType], None]) -> None:
        self._notice = notice

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _SETTINGS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_notice(module: ModuleType) -> None:
            execute(module)
            self._notice(module)

        loader.exec_module = execute_and_notice
        return spec


def _of_python(_: ModuleType) -> Iterator[_Setting]:
    # First: with a low limit, reading the others could fail.
    yield _Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    yield _Setting("the environment variables", lambda: dict(os.environ), _write_environment)
    yield _Setting("the working directory", os.getcwd, os.chdir)
    for name in ("sys.stdin", "sys.stdout", "sys.stderr", "sys.excepthook", "sys.unraisablehook"):
        yield _attribute(sys, name)
    yield _Setting("sys.argv", lambda: list(sys.argv), lambda value: _fill(sys.argv, value))
    yield _Setting("the trace function", sys.gettrace, sys.settrace)
    yield _Setting("the profile function", sys.getprofile, sys.setprofile)
    yield _Setting("the permissions of new files", _umask, os.umask)
    yield _Setting(
        "the garbage collection", lambda: (gc.isenabled(), gc.get_threshold()), _write_collection
    )
    yield _Setting(
        "the locale",
        lambda: locale.setlocale(locale.LC_ALL),
        lambda value: locale.setlocale(locale.LC_ALL, value),
    )
    if hasattr(os, "sched_setaffinity"):
        yield _Setting(
            "the cores of this process",
            lambda: os.sched_getaffinity(0),
            lambda value: os.sched_setaffinity(0, value),
        )
    if threading.current_thread() is threading.main_thread():
        yield from map(_handler, sorted(_HANDLED))
        if hasattr(signal, "setitimer"):
            yield _Setting("the timer of SIGALRM", _has_timer, _stop_timer)


_HANDLED = {
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGCHLD", "SIGALRM")
    if hasattr(signal, name)
}


def _handler(number: int) -> _Setting:
    return _Setting(
        f"the handler of {signal.Signals(number).name}",
        lambda: signal.getsignal(number),
        lambda value: signal.signal(number, value),
    )


def _has_timer() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _stop_timer(before: bool) -> None:
    if not before:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _of_socket(socket: Any) -> Iterator[_Setting]:
    yield _Setting("the timeout of new sockets", socket.getdefaulttimeout, socket.setdefaulttimeout)


def _of_random(random: Any) -> Iterator[_Setting]:
    yield _Setting("the random generator of Python", random.getstate, random.setstate)


def _of_logging(logging: Any) -> Iterator[_Setting]:
    root = logging.getLogger()
    yield _Setting(
        "the handlers of the root logger",
        lambda: list(root.handlers),
        lambda value: _fill(root.handlers, value),
    )
    yield _Setting("the level of the root logger", lambda: root.level, root.setLevel)
    yield _Setting("logging.disable", lambda: root.manager.disable, logging.disable)


def _of_numpy(numpy: Any) -> Iterator[_Setting]:
    yield _Setting(
        "numpy's handling of errors",
        lambda: tuple(numpy.geterr().items()),
        lambda value: numpy.seterr(**dict(value)),
    )


def _of_numpy_random(random: Any) -> Iterator[_Setting]:
    yield _Setting(
        "numpy's random generator",
        lambda: [_comparable(each) for each in random.get_state()],
        lambda value: random.set_state(tuple(value)),
    )


def _of_torch(torch: Any) -> Iterator[_Setting]:
    yield _Setting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield _Setting(
        "torch's default device",
        lambda: torch.empty(0).device,
        # None and not the CPU: a device that is set slows every function down.
        lambda value: torch.set_default_device(None if value.type == "cpu" else value),
    )
    yield _Setting("torch's grad mode", torch.is_grad_enabled, torch.set_grad_enabled)
    yield _Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads)
    yield _Setting(
        "torch's random generator",
        lambda: torch.get_rng_state().tolist(),
        lambda value: torch.set_rng_state(torch.tensor(value, dtype=torch.uint8)),
    )
    yield _Setting(
        "torch's deterministic mode",
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    )
    yield _Setting(
        "torch's matmul precision",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    )
    yield _Setting(
        "torch's anomaly mode", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    )
    yield _Setting(
        "torch's autocast",
        lambda: torch.is_autocast_enabled("cpu"),
        lambda value: torch.set_autocast_enabled("cpu", value),
    )
    smallest = sys.float_info.min
    yield _Setting(
        "the rounding of denormal numbers to zero",
        lambda: smallest / 2 == 0,
        torch.set_flush_denormal,
    )
    for backend, names in _BACKENDS.items():
        for name in names:
            owner = getattr(torch.backends, backend)
            yield _attribute(owner, f"torch.backends.{backend}.{name}")


_BACKENDS = {
    "cudnn": ("enabled", "benchmark", "deterministic", "allow_tf32"),
    "mkldnn": ("enabled",),
}

_SETTINGS: Mapping[str, Callable[[Any], Iterable[_Setting]]] = {
    "sys": _of_python,
    "random": _of_random,
    "socket": _of_socket,
    "logging": _of_logging,
    "numpy": _of_numpy,
    "numpy.random": _of_numpy_random,
    "torch": _of_torch,
}
"""By the module whose presence they need; a module that is not loaded has nothing to put back."""


def _attribute(owner: Any, name: str) -> _Setting:
    """The setting that is the attribute after the last point of its name."""
    attribute = name.rpartition(".")[2]
    return _Setting(
        name, lambda: getattr(owner, attribute), lambda value: setattr(owner, attribute, value)
    )


def _write_environment(before: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name not in before]:
        del os.environ[name]
    os.environ.update(before)


def _umask() -> int:
    os.umask(present := os.umask(0o077))
    return present


def _write_collection(before: tuple[bool, tuple[int, int, int]]) -> None:
    is_enabled, thresholds = before
    gc.set_threshold(*thresholds)
    gc.enable() if is_enabled else gc.disable()


def _fill(present: list[Any], before: list[Any]) -> None:
    """The same list with other elements, so that all references see the change."""
    present[:] = before


def _comparable(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
