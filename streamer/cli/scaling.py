"""Options that say who computes: threads here, processes here, or a cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from streamer.errors import SettingsError


def scaling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --threads, --scheduler and --workers."""
    for option in reversed(
        (
            click.option("--threads", type=click.IntRange(1), help="Threads; default: one per processor."),
            click.option(
                "--scheduler",
                metavar="ADDRESS",
                help="Compute on the workers of a dask scheduler, tcp://HOST:PORT, that see FILE by the same path.",
            ),
            click.option(
                "--workers", type=click.IntRange(1), help="Compute on so many processes of this computer."
            ),
        )
    ):
        command = option(command)
    return command


@contextmanager
def executor_for(threads: int | None, scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """Who computes; None: threads of the analysis itself."""
    if scheduler is None and workers is None:
        yield None
        return
    if scheduler is not None and workers is not None:
        raise SettingsError(
            "--scheduler and --workers contradict each other: a scheduler has workers. Give one of them."
        )
    from streamer.analysis.dask_executor import dask_executor

    with dask_executor(scheduler, workers, threads) as executor:
        yield executor
