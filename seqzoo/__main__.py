"""python -m seqzoo, and the console script."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code (see seqzoo/errors.py)."""
    from seqzoo.cli import main as run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
