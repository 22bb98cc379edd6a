"""seqzoo resume RUN"""

from __future__ import annotations

from seqzoo.cli.options import AsJson, Device, Run


def resume(run: Run, device: Device = None, as_json: AsJson = False) -> None:
    """Continue a stopped or killed run.

    The result is bit-for-bit the same as that of an uninterrupted run.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.report import report
    from seqzoo.runs.runner import resume_run
    from seqzoo.terminal.display import TerminalDisplay

    directory, result = resume_run(run, installed(), device=device, display=TerminalDisplay())
    report(directory.path, result, as_json=as_json)
