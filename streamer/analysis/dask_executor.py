"""Jobs computed by the workers of a dask.distributed scheduler, on this machine or on others.

Workers open the scan themselves, by its path; feature vectors stay with them. What goes over the network: the job's
part of each chunk, what is found at each position, sums, a sample of vectors, and for each Lloyd pass labels and
distances. A worker that is lost is dask's business: what it held is computed again by another.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any
from weakref import WeakSet

import numpy as np

from streamer.analysis.on_worker import chunk_there, kept_of, leave, rest_of
from streamer.analysis.passes import (
    Arrays,
    Cancel,
    JobExecutor,
    Outcome,
    PassJob,
    chunk_bounds,
)
from streamer.analysis.remote_vectors import Piece, RemoteVectors
from streamer.analysis.source import ScanSource
from streamer.cluster.blocks import check_wanted
from streamer.errors import EngineUnreachable, SettingsError, WorkersLost
from streamer.formats.scan_file import ScanFile
from streamer.settings import AnalysisSettings

CONNECT_S = 5.0
POLL_S = 0.2
SENT_ROWS = 65536
"""Of feature vectors: no more are sent at once, and clustered here; it costs less than asking workers for them."""
PATIENCE_S = 20.0
"""Without a scheduler or without any worker, before the analysis is given up."""


@contextmanager
def dask_executor(
    scheduler: str | None, n_workers: int | None, n_threads: int | None = None
) -> Iterator["DaskExecutor"]:
    """An executor on a scheduler that runs, or on workers of its own.

    Parameters
    ----------
    scheduler
        Address such as ``tcp://host:8786``; None: one is started here, with `n_workers` processes.
    n_workers
        See there.
    n_threads
        Of this process; default: one per processor.

    Raises
    ------
    SettingsError
        dask.distributed is not installed, or the address cannot be one.
    EngineUnreachable
        Nobody answers there, or no worker has come.
    """
    try:
        import distributed
    except ImportError:
        raise SettingsError(
            "Other processes are asked for and dask.distributed is not installed. Install it with "
            "pip install 'livestem[scale]', or leave --scheduler and --workers away."
        ) from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # we say ourselves what is lost
    make_client: Any = distributed.Client
    make_cluster: Any = distributed.LocalCluster
    n_threads = n_threads or os.cpu_count() or 1
    if scheduler is not None:
        with (
            _connected(make_client, scheduler) as client,
            DaskExecutor(client, scheduler, n_threads) as executor,
        ):
            yield executor
        return
    n_each = max(1, (os.cpu_count() or 1) // max(n_workers or 1, 1))
    with (
        make_cluster(
            n_workers=n_workers,
            threads_per_worker=n_each,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        _connected(make_client, cluster.scheduler_address) as client,
        DaskExecutor(client, cluster.scheduler_address, n_threads) as executor,
    ):
        yield executor


@contextmanager
def _connected(make_client: Any, address: str) -> Iterator[Any]:
    try:
        client = make_client(
            address, timeout=CONNECT_S, name="livestem", set_as_default=False, direct_to_workers=True
        )
    except ValueError as error:
        raise SettingsError(
            f"--scheduler {address} cannot be used: {error}. Expected tcp://HOST:PORT."
        ) from None
    except (OSError, TimeoutError):
        raise EngineUnreachable(
            f"No dask scheduler answers at {address} within {CONNECT_S:g} s. Expected one, started with `dask "
            "scheduler`. Check the address, or leave --scheduler away. The scan is unchanged."
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise EngineUnreachable(
                f"The scheduler at {address} has no worker. Expected at least one within {CONNECT_S:g} s: start it "
                f"with `dask worker {address}`. The scan is unchanged."
            ) from None
        yield client
    finally:
        client.close(timeout=2)


class DaskExecutor(ThreadPoolExecutor, JobExecutor):
    """Jobs go to the workers, everything else to threads here; one analysis at a time.

    Parameters
    ----------
    client
        Of dask.distributed, connected.
    address
        Of its scheduler, for messages.
    n_threads
        Threads here.
    """

    def __init__(self, client: Any, address: str, n_threads: int) -> None:
        super().__init__(n_threads)
        self._client, self._address = client, address
        self._source: ScanSource | None = None
        self._cancel = Cancel()
        self._asked: WeakSet[Any] = WeakSet()

    @contextmanager
    def analysis_of(self, scan: ScanFile, settings: AnalysisSettings, cancel: Cancel) -> Iterator[None]:
        """See `JobExecutor`.

        Raises
        ------
        SettingsError
            Exact momentum space, which is computed on one machine.
        """
        if settings.momentum.enabled and settings.momentum.exact:
            raise SettingsError(
                "Exact momentum space is computed on one machine: its images would go through this one. Leave --exact "
                "away, or --scheduler and --workers. The scan is unchanged."
            )
        self._source, self._cancel = ScanSource.of(scan, settings), cancel
        try:
            yield
        except BaseException:  # Ctrl+C too: chunks that wait would go on, and open the scan again
            self._tell_workers(self._client.cancel, list(self._asked))
            raise
        finally:
            self._tell_workers(self._client.run, leave, self._source, wait=False, on_error="ignore")

    def _tell_workers(self, tell: Callable[..., Any], *what: Any, **how: Any) -> None:
        if self._client.status == "running":
            with suppress(OSError, TimeoutError):  # a scheduler that is lost was said, or will be
                tell(*what, **how)

    def run_job(
        self, scan: ScanFile, job: PassJob, progress: Callable[[float], None], cancel: Cancel
    ) -> Outcome:
        """See `JobExecutor`."""
        chunks = chunk_bounds(scan.info.scan_shape, job.band_rows)
        stays = bool(job.kept) and job.span(job.kept, *chunks[-1]).stop > SENT_ROWS
        found = [self.submit_there(chunk_there, self._source, job.part(*chunk), chunk[0]) for chunk in chunks]
        kept = [self.submit_there(kept_of, one) for one in found] if stays else []
        sent = [self.submit_there(rest_of, one) for one in found] if stays else found
        del found
        arrays: dict[str, Any] = dict(job.rooms(with_kept=not stays))
        sums: list[Arrays] = [{} for _ in chunks]
        for n_done, (number, answer) in enumerate(self.answers(sent), start=1):
            own, sums[number] = answer[0], answer[1]
            for name, values in own.items():
                arrays[name][job.span(name, *chunks[number])] = values
            progress(n_done / len(chunks))
        if stays:
            spans = [job.span(job.kept, *chunk) for chunk in chunks]
            n_columns = sums[0].pop("n_columns")
            arrays[job.kept] = self._table(kept, spans, int(n_columns))
        return Outcome(arrays, sums)

    def submit_there(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """The future of work on a worker; futures among the arguments stand for what they found."""
        # Not pure: a key of its own instead of a hash over all arguments.
        future = self._client.submit(work, *arguments, pure=False)
        self._asked.add(future)
        return future

    def answers(self, futures: list[Any]) -> Iterator[tuple[int, Any]]:
        """Number and answer of each, as they come.

        Raises
        ------
        ScanStopped
            Cancelled meanwhile.
        CancelledError
            See `streamer.cluster.blocks.end_once`.
        WorkersLost
            The scheduler, or the last worker, is gone.
        """
        finished: SimpleQueue[int] = SimpleQueue()
        for number, future in enumerate(futures):
            future.add_done_callback(lambda _, number=number: finished.put(number))
        n_left, missed_since = len(futures), None
        while n_left:
            check_wanted()
            self._cancel.check()
            try:
                number = finished.get(timeout=POLL_S)
            except Empty:
                missed_since = self._missed(missed_since)
                continue
            yield number, self._answer(futures[number])
            n_left, missed_since = n_left - 1, None

    def _answer(self, future: Any) -> Any:
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise WorkersLost(
                f"A part of the scan was given up: {error.allowed_failures + 1} workers that computed it were lost, "
                "for want of memory perhaps. Give workers more memory, or start more of them. The scan is unchanged."
            ) from None
        except (CancelledError, TimeoutError, OSError):
            self._cancel.check()
            raise self._lost("does not answer any more") from None

    def _missed(self, missed_since: float | None) -> float | None:
        """Asked while nothing comes: anybody there? Returns since when nobody has been."""
        is_running = self._client.status == "running"
        if is_running and self._client.scheduler_info()["workers"]:
            return None
        now = time.monotonic()
        if missed_since is not None and now - missed_since > PATIENCE_S:
            what = "has lost its last worker" if is_running else "does not answer any more"
            raise self._lost(f"{what}, for {PATIENCE_S:g} s")
        return now if missed_since is None else missed_since

    def _lost(self, what: str) -> WorkersLost:
        return WorkersLost(
            f"The scheduler at {self._address} {what}. What was computed of this scan is lost, results that are "
            "written are kept. Start scheduler and workers again, then the analysis."
        )

    def _table(self, kept: list[Any], spans: list[slice], n_columns: int) -> RemoteVectors:
        """Arrays of chunks as a table: a piece for every thread of every worker, of what it holds already."""
        holders = self._client.who_has(kept)
        n_threads = self._client.nthreads()
        lanes: dict[tuple[str, int], list[int]] = {}
        n_seen: dict[str, int] = {}
        for number, future in enumerate(kept):
            worker = next(iter(holders.get(future.key) or ("",)))
            n_seen[worker] = n_seen.get(worker, 0) + 1
            lanes.setdefault((worker, n_seen[worker] % max(n_threads.get(worker, 1), 1)), []).append(number)
        pieces = [
            Piece(
                [kept[number] for number in own],
                np.concatenate([np.arange(spans[number].start, spans[number].stop) for number in own]),
            )
            for own in lanes.values()
        ]
        return RemoteVectors(self, pieces, (spans[-1].stop, n_columns))
