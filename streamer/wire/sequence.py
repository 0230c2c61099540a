"""Which frames have come: sets of ranges, and the bookkeeping of late and repeated frames."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class IntervalSet:
    """An immutable set of integers kept as sorted, disjoint ranges ``[start, stop)``.

    Immutable, so that one thread may publish it and others read it. Frames mostly come in order: there
    are few ranges, and growing the last one is the common case.
    """

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        starts: list[int] = []
        stops: list[int] = []
        for start, stop in sorted(ranges):
            if start >= stop:
                continue
            if stops and start <= stops[-1]:
                stops[-1] = max(stops[-1], stop)
            else:
                starts.append(start)
                stops.append(stop)
        self._starts = tuple(starts)
        self._stops = tuple(stops)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._stops, strict=True)

    def __len__(self) -> int:
        """Number of ranges, not of integers: that is `total`."""
        return len(self._starts)

    def __contains__(self, index: int) -> bool:
        at = bisect_right(self._starts, index) - 1
        return at >= 0 and index < self._stops[at]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, IntervalSet) and self._starts == other._starts and self._stops == other._stops
        )

    def __hash__(self) -> int:
        return hash((self._starts, self._stops))

    def __repr__(self) -> str:
        return "IntervalSet(" + ", ".join(f"[{start}, {stop})" for start, stop in self) + ")"

    @property
    def total(self) -> int:
        """Number of integers in the set."""
        return sum(self._stops) - sum(self._starts)

    @property
    def below(self) -> int:
        """The largest n for which all of 0 .. n - 1 are in the set."""
        return self._stops[0] if self._starts and self._starts[0] <= 0 else 0

    def add(self, start: int, stop: int) -> "IntervalSet":
        """The set with [start, stop) added; itself where nothing changes."""
        if start >= stop:
            return self
        # Ranges that touch [start, stop), merely adjacent ones included, melt into one.
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            if self._starts[first] <= start and self._stops[first] >= stop:
                return self
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        grown = IntervalSet()
        grown._starts = (*self._starts[:first], start, *self._starts[last:])
        grown._stops = (*self._stops[:first], stop, *self._stops[last:])
        return grown

    def remove(self, start: int, stop: int) -> "IntervalSet":
        """The set without [start, stop)."""
        if not self.overlaps(start, stop):
            return self
        left = [(first, min(last, start)) for first, last in self]
        right = [(max(first, stop), last) for first, last in self]
        return IntervalSet(left + right)

    def add_indices(self, indices: NDArray[np.int64]) -> "IntervalSet":
        """The set with these integers added, in any order."""
        grown = self
        for start, stop in runs(indices):
            grown = grown.add(start, stop)
        return grown

    def union(self, other: "IntervalSet") -> "IntervalSet":
        """All integers of either set."""
        if not other:
            return self
        return IntervalSet([*self, *other]) if self else other

    def overlaps(self, start: int, stop: int) -> bool:
        """Whether any integer of [start, stop) is in the set."""
        at = bisect_right(self._stops, start)
        return start < stop and at < len(self._starts) and self._starts[at] < stop

    def gaps(self, start: int, stop: int) -> "IntervalSet":
        """What of [start, stop) is not in the set."""
        missing = []
        at = bisect_right(self._stops, start)
        while start < stop:
            next_start = self._starts[at] if at < len(self._starts) else stop
            if start < next_start:
                missing.append((start, min(next_start, stop)))
            if at >= len(self._starts):
                break
            start = self._stops[at]
            at += 1
        return IntervalSet(missing)


def runs(indices: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Consecutive ascending stretches of `indices` as ranges [start, stop), in the order given."""
    if indices.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    firsts = [0, *breaks.tolist()]
    lasts = [*breaks.tolist(), indices.size]
    return [
        (int(indices[first]), int(indices[first]) + last - first)
        for first, last in zip(firsts, lasts, strict=True)
    ]


@dataclass(frozen=True)
class Arrival:
    """What the bookkeeping says of one batch: which frames are new, how many came late or again."""

    is_new: NDArray[np.bool_]
    n_late: int
    n_repeated: int


class FrameSequence:
    """Which frame indices have arrived; owned by the one who receives. ``seen``: what is there already."""

    def __init__(self, seen: IntervalSet | None = None) -> None:
        self.seen = seen or IntervalSet()
        self.highest = max((stop for _, stop in self.seen), default=0) - 1

    def take(self, first: int, count: int) -> Arrival:
        """Note the arrival of frames [first, first + count).

        A frame is late when a higher index came before it, repeated when it has come already.
        """
        stop = first + count
        is_new = np.ones(count, dtype=np.bool_)
        if self.seen.overlaps(first, stop):
            is_new[:] = [index not in self.seen for index in range(first, stop)]
        n_late = int(is_new[: max(0, self.highest - first)].sum()) if first < self.highest else 0
        self.seen = self.seen.add(first, stop)
        self.highest = max(self.highest, stop - 1)
        return Arrival(is_new, n_late, count - int(is_new.sum()))
