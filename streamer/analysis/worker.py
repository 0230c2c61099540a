"""The analysis in a process of its own: started while the scan still runs, so that it is warm when it ends.

``python -m streamer.analysis.worker`` reads one JSON job a line from stdin ({"source", "out", "settings",
"overrides"}), and
"cancel"; it writes one JSON object a line to stdout: {"event": "ready" | "progress" | "done" | "failed" |
"cancelled", ...}. It ends when stdin closes.
"""

import json
import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from streamer.analysis.passes import Cancel
from streamer.analysis.result_file import refuse_existing, write_result
from streamer.analysis.run import STAGES, analyze
from streamer.errors import LivestemError, ScanStopped
from streamer.formats.open_scan import open_scan
from streamer.kernels.warmup import warm_kernels
from streamer.settings import analysis_settings


def say(event: str, **fields: Any) -> None:
    """One line to the engine."""
    try:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the engine was killed: nobody waits for this result, and nothing of it is on disk yet


def run_job(job: dict[str, Any], cancel: Cancel) -> None:
    """Analyse one scan and write its result; says how it went, whatever happens."""

    def progress(name: str, fraction: float) -> None:
        say(
            "progress",
            step=STAGES.index(name) + 1,
            n_steps=len(STAGES),
            name=name,
            fraction=round(fraction, 4),
        )

    out = Path(job["out"])
    try:
        refuse_existing(out)
        with open_scan(job["source"]) as scan:
            result = analyze(scan, analysis_settings(job["settings"]), progress, cancel)
        result.attrs["overrides"] = job.get("overrides", [])
        write_result(result, out)
        say("done", result=str(out), seconds=result.seconds)
    except ScanStopped as stopped:
        say("cancelled", error=str(stopped))
    except LivestemError as error:
        say("failed", error=str(error))
    except Exception as error:  # the engine must hear of it, whatever it is
        say("failed", error=f"The analysis failed: {type(error).__name__}: {error}. The recording is kept.")


def main() -> None:
    """Serve jobs until stdin closes."""
    jobs: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    running = {"cancel": Cancel()}

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "cancel":
                running["cancel"].request()
            elif line.strip():
                jobs.put(json.loads(line))
        running["cancel"].request()
        jobs.put(None)

    threading.Thread(target=listen, name="livestem-analysis-jobs", daemon=True).start()
    warm_kernels()
    say("ready")
    while (job := jobs.get()) is not None:
        running["cancel"] = Cancel()
        run_job(job, running["cancel"])


if __name__ == "__main__":
    main()
