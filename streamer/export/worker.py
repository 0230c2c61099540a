"""The export in a process beside the window: drawing never holds up what is shown of a scan that runs.

``python -m streamer.export.worker`` reads one JSON request a line from stdin, and writes one JSON object a line:

    {"id", "do": "describe", "result"}                        -> {"id", "event": "described", ...}
    {"id", "do": "write", "result", "plan", "out", "name"}    -> {"id", "event": "progress", "share"}, ...
                                                                 {"id", "event": "written", "files"}
    {"id", "do": "cancel"}                                    that request ends, or does not begin
    whatever goes wrong                                       -> {"id", "event": "failed", "error"}

It ends when stdin closes and what was asked for is written.
"""

import json
import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from streamer.analysis.result_file import AnalysisResult, open_result
from streamer.errors import LivestemError, ScanStopped
from streamer.export.export import default_stem, export
from streamer.export.figures import default_panels, possible_panels
from streamer.export.plan import export_plan
from streamer.look.colour_difference import smallest_difference
from streamer.look.palette import node_colours

NICENESS = 10
"""A scan that runs comes first."""


def say(**fields: Any) -> None:
    """One line to the window."""
    try:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the window was killed: nobody waits for these files


class Exporter:
    """Answers requests on one result after the other; the last one stays open."""

    def __init__(self) -> None:
        self.cancelled: int | None = None
        """Number of the request that must end; set from another thread."""
        self._seen: tuple[str, int] | None = None
        self._result: AnalysisResult | None = None

    def answer(self, request: dict[str, Any]) -> None:
        """Do what is asked; says how it went, whatever happens."""
        number = request["id"]
        try:
            result = self._opened(Path(request["result"]))
            if request["do"] == "describe":
                say(id=number, event="described", **described(result))
                return

            def told(share: float) -> None:
                if self.cancelled == number:
                    raise ScanStopped("The export was cancelled. What was written before is whole.")
                say(id=number, event="progress", share=round(share, 4))

            plan = export_plan(request["plan"])
            files = export(result, plan, Path(request["out"]), request.get("name", ""), told)
            say(id=number, event="written", files=[str(path) for path in files])
        except LivestemError as error:
            say(id=number, event="failed", error=str(error))
        except Exception as error:  # the window must hear of it, whatever it is
            say(
                id=number,
                event="failed",
                error=f"The export failed: {type(error).__name__}: {error}. The result is unchanged.",
            )

    def _opened(self, path: Path) -> AnalysisResult:
        seen = (str(path), path.stat().st_mtime_ns if path.exists() else 0)
        if self._result is None or self._seen != seen:
            self._result, self._seen = open_result(path), seen
        return self._result


def described(result: AnalysisResult) -> dict[str, Any]:
    """What can be chosen for a result, and how well the colours of each level are told apart."""
    colours = node_colours(result.nodes)
    differences = []
    for labels in result.label_maps:
        shown = [colours[int(label)] for label in np.unique(labels) if int(label) in colours]
        smallest = smallest_difference(shown)
        differences.append(smallest if np.isfinite(smallest) else None)
    return {
        "panels": list(possible_panels(result)),
        "default": list(default_panels(result)),
        "name": default_stem(result),
        "differences": differences,
    }


def main() -> None:
    """Answer requests until stdin closes."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    exporter, requests = Exporter(), SimpleQueue[dict[str, Any] | None]()

    def listen() -> None:
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "cancel":
                exporter.cancelled = request["id"]
            else:
                requests.put(request)
        requests.put(None)

    threading.Thread(target=listen, name="livestem-export-requests", daemon=True).start()
    while (request := requests.get()) is not None:
        exporter.answer(request)


if __name__ == "__main__":
    main()
