"""Everyday commands, in the environment that you are in: `nox -s fmt lint types test docs tables`.

`.ci/run` runs the same checks in a fresh environment.
"""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "types", "docs", "test"]
nox.options.default_venv_backend = "none"


@nox.session
def fmt(session: nox.Session) -> None:
    """Format the code and apply the linter's safe fixes."""
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and the direction of imports."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    session.run("mypy")


@nox.session
def test(session: nox.Session) -> None:
    """Run the tests; arguments after `--` go to pytest: nox -s test -- tests/recipes."""
    session.run("pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and print the files that they cover least; started commands are not counted."""
    session.run("pytest", "--cov=seqzoo", "--cov=seqzoo_plugins", "--cov-report=", *session.posargs)
    session.run("coverage", "report", "--skip-empty", "--sort=cover")


@nox.session
def docs(session: nox.Session) -> None:
    """Check that docs/ says what the code does."""
    session.run("python", "docs/generate.py", "--check")
    session.run("pytest", "tests/test_docs.py", "tests/test_map.py", "tests/test_words.py")


@nox.session
def tables(session: nox.Session) -> None:
    """Make the schemas, tables, map and picture in docs/ again."""
    session.run("python", "docs/generate.py")
