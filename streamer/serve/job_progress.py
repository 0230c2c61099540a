"""How far a long piece of work is, and how long it will take: the stages of an analysis as one fraction."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from streamer.analysis.run import STAGES

USUAL_SHARES = {
    "align": 0.27,
    "features": 0.18,
    "hierarchy": 0.20,
    "momentum": 0.05,
    "patterns": 0.25,
    "manifold": 0.05,
}
"""Of the time of an analysis, where none of this scan has been timed yet (docs/performance.md, stages)."""
SHOWN_AFTER_S = 0.3
"""What takes no longer than this is not announced: the pill would flicker."""
LEAST_FRACTION = 0.02
"""Before this share is done nothing is said of the time left."""


class JobProgress:
    """Progress of one job; told from any thread, read from any thread.

    Parameters
    ----------
    seconds
        Of the stages of an earlier analysis of the same scan; empty: the usual shares.
    stages
        Those that this job goes through, in order.
    clock
        Seconds.
    """

    def __init__(
        self,
        seconds: Mapping[str, float] | None = None,
        stages: tuple[str, ...] = STAGES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        known = {name: value for name, value in (seconds or {}).items() if name in stages and value > 0}
        weights = known if len(known) > 1 else USUAL_SHARES
        floor = 0.01 * sum(weights.values())
        self._weights = {name: max(weights.get(name, 0.0), floor) for name in stages}
        self._stages, self._clock, self._begun_s = stages, clock, clock()
        self._lock = threading.Lock()
        self._now = (stages[0], 0.0)

    def told(self, name: str, fraction: float) -> None:
        """A stage has come so far; stages never go back."""
        if name not in self._stages:
            return
        with self._lock:
            at, done = self._now
            is_back = self._stages.index(name) < self._stages.index(at) or (name == at and fraction < done)
            if not is_back:
                self._now = (name, min(1.0, max(0.0, fraction)))

    @property
    def age_s(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._begun_s

    def to_json(self) -> dict[str, Any]:
        """step, n_steps, name, fraction (of the whole), left_s or None, as docs/protocol.md has them."""
        with self._lock:
            name, part = self._now
        step = self._stages.index(name)
        total = sum(self._weights.values())
        done = sum(self._weights[stage] for stage in self._stages[:step]) + part * self._weights[name]
        fraction = done / total
        left_s = None
        if fraction > LEAST_FRACTION:
            left_s = round(self.age_s * (1.0 - fraction) / fraction, 1)
        return {
            "step": step + 1,
            "n_steps": len(self._stages),
            "name": name,
            "fraction": round(fraction, 4),
            "left_s": left_s,
        }
