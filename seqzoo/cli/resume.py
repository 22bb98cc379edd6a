"""seqzoo resume RUN"""

from __future__ import annotations

from seqzoo.cli.options import AsJson, Device, Run


def resume(run: Run, device: Device = None, as_json: AsJson = False) -> None:
    """Go on with a stopped or killed run; it ends in the bits it would have had."""
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.report import report
    from seqzoo.runs.runner import resume as resume_run

    report(*resume_run(run, installed(), device=device), as_json=as_json)
