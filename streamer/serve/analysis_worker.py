"""The analysis in a process of its own: started while the scan still runs, so that it is warm when it ends.

Once a result is announced and no other job waits, its slide is drawn beside it.

``python -m streamer.serve.analysis_worker`` reads one JSON job a line from stdin ({"source", "out", "settings",
"overrides"}), and
"cancel"; it writes one JSON object a line to stdout: {"event": "ready" | "progress" | "done" | "failed" |
"cancelled" | "slide" | "slide_failed", ...}. It ends when stdin closes.
"""

import json
import os
import sys
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from streamer.analysis.passes import Cancel
from streamer.analysis.result_file import AnalysisResult, refuse_existing, write_result
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


def run_job(job: dict[str, Any], cancel: Cancel) -> AnalysisResult | None:
    """Analyse one scan and write its result; says how it went, whatever happens. Returns what was written."""

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
        return replace(result, path=out)
    except ScanStopped as stopped:
        say("cancelled", error=str(stopped))
    except LivestemError as error:
        say("failed", error=str(error))
    except Exception as error:  # the engine must hear of it, whatever it is
        say("failed", error=f"The analysis failed: {type(error).__name__}: {error}. The recording is kept.")
    return None


def draw_slide(result: AnalysisResult) -> None:
    """Draw the slide of a result; a failure is said, and harms nothing."""
    try:
        from streamer.export.slide import write_slide  # what draws is loaded when the result is announced

        say("slide", path=str(write_slide(result)))
    except Exception as error:  # whatever it is, the next scan must be analysed
        why = f"{type(error).__name__}: {error}"
        say(
            "slide_failed",
            error=f"The slide of {result.path} could not be drawn: {why}. The result is whole.",
        )


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
    undrawn: deque[AnalysisResult] = deque()
    while True:
        try:
            job = jobs.get(block=not undrawn)
        except Empty:
            draw_slide(undrawn.popleft())
            continue
        if job is None:
            break
        running["cancel"] = Cancel()
        result = run_job(job, running["cancel"])
        if result is not None:
            undrawn.append(result)
    for result in undrawn:
        draw_slide(result)


if __name__ == "__main__":
    main()
