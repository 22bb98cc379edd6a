"""seqzoo resume RUN"""

from __future__ import annotations

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, Run, RunsFolder


def resume(
    run: Run, runs: RunsFolder = DEFAULT_RUNS, device: Device = None, as_json: AsJson = False
) -> None:
    """Continue a stopped or killed run.

    The result is bit-for-bit the same as that of an uninterrupted run.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.report import report_run
    from seqzoo.runs.run import resume as resume_run

    done = resume_run(run, device=device, registry=installed(), show_progress=True)
    report_run(done, as_json=as_json)
