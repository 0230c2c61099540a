"""Faults of a detector's link, on demand and repeatable: what `livestem replay --fault` does to a stream.

A fault is written ``name[:value]``. Those of the link (duplicate, shuffle, corrupt) act on messages on their way
out; those of the detector and its computer (drop, stall, stop, restart) are read by the sender.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from streamer.errors import SettingsError
from streamer.wire.codec import Part
from streamer.wire.sequence import IntervalSet, runs

MAX_WINDOW = 1024
MAX_STALL_S = 3600.0

EXPECTED = (
    "drop:SHARE, duplicate:SHARE, shuffle:MESSAGES, corrupt:SHARE, stall:SECONDS (heartbeats go on), "
    "stop:SHARE (falls silent there, as if killed), restart[:SHARE] (comes back there as a new connection)"
)


@dataclass(frozen=True)
class Faults:
    """What goes wrong, None or 0: nothing.

    Attributes
    ----------
    drop
        Share of frames that the detector never delivers: not sent, counted as dropped by the sender.
    duplicate
        Share of frames messages that are sent twice.
    shuffle
        Frames messages leave in random order, within a window of so many.
    corrupt
        Share of frames messages with one bit of header or payload turned over.
    stall_s
        Seconds in the middle of the scan in which no frame comes.
    stop
        Share of the scan after which the sender says nothing more.
    restart
        Share of the scan after which the sender breaks its connection and comes back as another one.
    seed
        Of every random choice.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    shuffle: int = 0
    corrupt: float = 0.0
    stall_s: float = 0.0
    stop: float | None = None
    restart: float | None = None
    seed: int = 0

    def dropped(self, n_frames: int) -> IntervalSet:
        """Frame indices below `n_frames` that are never sent."""
        if not self.drop:
            return IntervalSet()
        chosen = np.random.default_rng([self.seed, 1]).random(n_frames) < self.drop
        return IntervalSet(runs(np.flatnonzero(chosen)))


class FaultyLink:
    """Between the sender and its socket: takes each message, gives those that really go out now."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rng = np.random.default_rng([faults.seed, 2])
        self._held: list[list[Part]] = []

    def pass_on(self, parts: list[Part]) -> list[list[Part]]:
        """The messages that leave when this one is sent; only those with a payload are harmed."""
        if len(parts) < 2:
            return [parts]
        if self._rng.random() < self._faults.corrupt:
            parts = self._damaged(parts)
        copies = 2 if self._rng.random() < self._faults.duplicate else 1
        if not self._faults.shuffle:
            return [parts] * copies
        # The payload is the sender's buffer, which it writes over with the next frames.
        self._held += [[parts[0], bytes(parts[1])]] * copies
        leaving = []
        while len(self._held) >= self._faults.shuffle:
            leaving.append(self._held.pop(int(self._rng.integers(len(self._held)))))
        return leaving

    def flush(self) -> list[list[Part]]:
        """What is held back, in random order: nothing more follows for now."""
        order = self._rng.permutation(len(self._held))
        leaving = [self._held[index] for index in order]
        self._held = []
        return leaving

    def _damaged(self, parts: list[Part]) -> list[Part]:
        which = int(self._rng.integers(2))
        damaged = bytearray(parts[which])
        damaged[int(self._rng.integers(len(damaged)))] ^= 1 << int(self._rng.integers(8))
        return [damaged, parts[1]] if which == 0 else [parts[0], damaged]


def parse_faults(specs: tuple[str, ...], seed: int = 0) -> Faults:
    """Faults as they are typed.

    Raises
    ------
    SettingsError
        An unknown name, or a value that cannot be used.
    """
    faults = Faults(seed=seed)
    names = {field.name.removesuffix("_s"): field.name for field in fields(Faults) if field.name != "seed"}
    for spec in specs:
        name, _, text = spec.partition(":")
        if name not in names:
            raise SettingsError(f"--fault {spec} is unknown. Expected one of {EXPECTED}.")
        faults = replace(faults, **{names[name]: _value(spec, name, text)})
    return faults


def _value(spec: str, name: str, text: str) -> float | int:
    if name == "restart" and not text:
        return 0.5
    limits = {"shuffle": (2, MAX_WINDOW), "stall": (0.0, MAX_STALL_S)}
    low, high = limits.get(name, (0.0, 1.0))
    try:
        value = int(text) if name == "shuffle" else float(text.removesuffix("s") if name == "stall" else text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SettingsError(
            f"--fault {spec} cannot be used. Expected {name}:VALUE with {low:g} <= VALUE <= {high:g}."
        )
    return value
