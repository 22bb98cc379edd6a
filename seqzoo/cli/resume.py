"""seqzoo resume RUN"""

from __future__ import annotations

from seqzoo.cli.options import AsJson, Device, Run


def resume(run: Run, device: Device = None, as_json: AsJson = False) -> None:
    """Continue a stopped or killed run.

    The result is bit-for-bit the same as that of an uninterrupted run.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.report import report_run
    from seqzoo.runs.run import resume as resume_run

    done = resume_run(run, device=device, registry=installed(), show_progress=True)
    report_run(done, as_json=as_json)
