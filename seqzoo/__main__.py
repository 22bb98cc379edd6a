"""python -m seqzoo, and the console script."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code (see seqzoo/errors.py)."""
    import os
    import signal

    # First of all: imports take a moment, and Ctrl-C in one would be a traceback. The other signals
    # end the process without a word.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from seqzoo.terminal.encoding import start_in_utf8
    from seqzoo.terminal.signals import stop_on_signals

    start_in_utf8()
    stop_on_signals()  # before the imports of the command line, which take a moment

    from seqzoo.cli import main as run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
