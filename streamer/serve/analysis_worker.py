"""The analysis in a process of its own: started while the scan still runs, so that it is warm when it ends.

Once a result is announced and no other job waits, its slide is drawn beside it.

``python -m streamer.serve.analysis_worker`` reads one JSON object a line from stdin: a job ({"job": its number,
"source", "out", "settings", "overrides", "scales"}), {"cancel": number}, or {"closed": number}: the recording of a job
with "scales" has its end now. It writes one JSON object a line to stdout: {"event": "ready" | "progress" | "done" |
"failed" | "cancelled" | "slide" | "slide_failed", ...}, the first four of a job with its number. It ends when stdin
closes; what is not analysed by then is cancelled.
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
from streamer.formats.recording import RecordingReader
from streamer.formats.scan_file import ScanFile
from streamer.formats.side_settings import take_side_settings
from streamer.kernels.warmup import warm_kernels
from streamer.settings import analysis_settings


def say(event: str, **fields: Any) -> None:
    """One line to the engine."""
    try:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the engine was killed: nobody waits for this result, and nothing of it is on disk yet


class Job:
    """One analysis that was asked for.

    Attributes
    ----------
    asked
        As it was read from stdin.
    cancel
        Ends the analysis.
    """

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked, self.cancel = asked, Cancel()
        self._is_closed = threading.Event()
        if asked["scales"] is None:
            self._is_closed.set()

    def source_is_closed(self) -> None:
        """The recording has its end: the result may be written."""
        self._is_closed.set()

    def end_soon(self) -> None:
        """End at the next block of frames, or instead of writing the result."""
        self.cancel.request()
        self._is_closed.set()

    def wait_until_closed(self) -> None:
        """A scan that could not be closed in order gets no result: ScanStopped where the job was cancelled."""
        self._is_closed.wait()
        self.cancel.check()

    def opened(self) -> ScanFile:
        """The scan; with the scales that its recording will have where that is not closed yet."""
        source, scales = Path(self.asked["source"]), self.asked["scales"]
        if scales is None:
            return open_scan(source)
        return take_side_settings(RecordingReader(source, scales))


def run_job(job: Job) -> AnalysisResult | None:
    """Analyse one scan and write its result; says how it went, whatever happens. Returns what was written."""
    asked = job.asked

    def told(event: str, **fields: Any) -> None:
        say(event, job=asked["job"], **fields)

    def progress(name: str, fraction: float) -> None:
        told(
            "progress",
            step=STAGES.index(name) + 1,
            n_steps=len(STAGES),
            name=name,
            fraction=round(fraction, 4),
        )

    out = Path(asked["out"])
    try:
        refuse_existing(out)
        with job.opened() as scan:
            result = analyze(scan, analysis_settings(asked["settings"]), progress, job.cancel)
        result.attrs["overrides"] = asked["overrides"]
        job.wait_until_closed()
        write_result(result, out)
        told("done", result=str(out), seconds=result.seconds)
        return replace(result, path=out)
    except ScanStopped as stopped:
        told("cancelled", error=str(stopped))
    except LivestemError as error:
        told("failed", error=str(error))
    except Exception as error:  # the engine must hear of it, whatever it is
        told("failed", error=f"The analysis failed: {type(error).__name__}: {error}. The recording is kept.")
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
    waiting: SimpleQueue[Job | None] = SimpleQueue()
    unfinished: dict[int, Job] = {}

    def listen() -> None:
        try:
            for line in sys.stdin:
                said = json.loads(line)
                if "source" in said:
                    job = unfinished[said["job"]] = Job(said)
                    waiting.put(job)
                elif job := unfinished.get(said.get("cancel")):
                    job.end_soon()
                elif job := unfinished.get(said.get("closed")):
                    job.source_is_closed()
        finally:  # also of an engine that was killed while it wrote a line
            for job in list(unfinished.values()):
                job.end_soon()
            waiting.put(None)

    threading.Thread(target=listen, name="livestem-analysis-jobs", daemon=True).start()
    warm_kernels()
    say("ready")
    undrawn: deque[AnalysisResult] = deque()
    while True:
        try:
            job = waiting.get(block=not undrawn)
        except Empty:
            draw_slide(undrawn.popleft())
            continue
        if job is None:
            break
        result = run_job(job)
        del unfinished[job.asked["job"]]
        if result is not None:
            undrawn.append(result)
    for result in undrawn:
        draw_slide(result)


if __name__ == "__main__":
    main()
