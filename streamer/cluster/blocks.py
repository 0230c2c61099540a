"""Work done part by part, that ends between parts once nobody waits for it any more."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Executor
from contextvars import ContextVar
from typing import TypeVar

Part = TypeVar("Part")
Done = TypeVar("Done")

_dropped: ContextVar[threading.Event | None] = ContextVar("_dropped", default=None)


def end_once(dropped: threading.Event) -> None:
    """From now on, what this thread begins ends between parts once the event is set."""
    _dropped.set(dropped)


def check_wanted() -> None:
    """Raise CancelledError once nobody waits for what this thread does."""
    _check(_dropped.get())


def each(
    work: Callable[[Part], Done], parts: Iterable[Part], executor: Executor | None = None
) -> Iterable[Done]:
    """Outcomes of the parts, in order.

    Parameters
    ----------
    work
        Done to every part.
    parts
        Blocks of rows, say: what is asked for at once is small.
    executor
        Does parts side by side; None: this thread, one after the other.

    Raises
    ------
    CancelledError
        See `end_once`; parts that wait in the executor end at once as well.
    """
    dropped = _dropped.get()

    def work_if_wanted(part: Part) -> Done:
        _check(dropped)
        return work(part)

    return executor.map(work_if_wanted, parts) if executor else map(work_if_wanted, parts)


def _check(dropped: threading.Event | None) -> None:
    if dropped is not None and dropped.is_set():
        raise CancelledError
