"""Interleaved timing: every way once a round, the median of the rounds after the first, which warms up."""

import statistics
import time


def interleaved(ways, rounds=7):
    """Median seconds of each way: {name: callable} -> {name: seconds}."""
    times = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, work in ways.items():
            begin = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}
