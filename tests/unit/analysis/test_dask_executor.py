"""Vectors and jobs of other processes, without any process: a client that computes when it is asked."""

import asyncio
import itertools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import analyze, open_scan
from streamer.analysis import dask_executor, on_worker, remote_vectors
from streamer.analysis.dask_executor import DaskExecutor
from streamer.analysis.passes import Cancel, chunk_bounds
from streamer.analysis.remote_vectors import Piece, RemoteVectors
from streamer.analysis.source import ScanSource
from streamer.cli.analyze import command
from streamer.cluster.vectors import HeldVectors
from streamer.errors import FileFormatError, ScanStopped, SettingsError, WorkersLost
from streamer.settings import AnalysisSettings
from tests.simulated import simulate


class FakeFuture(Future):
    """What distributed's futures have, for work that is done at once."""

    key = ""


class FakeClient:
    """Computes in this thread; answers nothing while `is_silent`."""

    def __init__(self, status="running", n_workers=2):
        self.status, self.n_workers, self.is_silent = status, n_workers, False
        self.cancelled, self.n_asked, self.told = [], 0, []

    def submit(self, work, *arguments, pure):
        assert pure is False
        self.n_asked += 1
        future = FakeFuture()
        future.key = f"key-{self.n_asked}"
        if not self.is_silent:
            try:
                future.set_result(work(*(self._found(one) for one in arguments)))
            except Exception as error:
                future.set_exception(error)
        return future

    def _found(self, one):
        if isinstance(one, list):
            return [self._found(item) for item in one]
        return one.result() if isinstance(one, Future) else one

    def run(self, work, *arguments, wait, on_error):
        assert (wait, on_error) == (False, "ignore")
        self.told.append(work)
        asyncio.run(work(*arguments))

    def who_has(self, futures):
        return {future.key: (f"w{number % self.n_workers}",) for number, future in enumerate(futures)}

    def nthreads(self):
        return {f"w{number}": 1 + number for number in range(self.n_workers)}

    def scheduler_info(self):
        return {"workers": {f"w{number}": {} for number in range(self.n_workers)}}

    def cancel(self, futures):
        self.told.append("cancel")
        self.cancelled += futures


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("remote"), (24, 32))


@pytest.mark.parametrize("sent", [0, 10_000], ids=["vectors stay", "vectors are sent"])
def test_an_analysis_elsewhere_is_the_same_to_the_bit(scan, sent, monkeypatch):
    monkeypatch.setattr(remote_vectors, "GATHERED_ROWS", 100)
    monkeypatch.setattr(dask_executor, "SENT_ROWS", sent)
    # Positions that are missing, so that rows of chunks are not their positions.
    settings = AnalysisSettings(roi=(1, 23, 2, 31))
    with open_scan(scan.raw) as opened, DaskExecutor(FakeClient(), "fake", 2) as executor:
        there = analyze(opened, settings, executor=executor)
        here = analyze(opened, settings)
    assert set(there.arrays) == set(here.arrays)
    for name, values in here.arrays.items():
        if name.startswith("manifold/") and name.endswith("points"):
            np.testing.assert_allclose(there.arrays[name], values, atol=1e-4 * np.abs(values).max())
        else:
            np.testing.assert_array_equal(there.arrays[name], values, err_msg=name)
    assert there.nodes == here.nodes
    assert there.momentum_nodes == here.momentum_nodes


@settings(max_examples=30)
@given(st.data())
def test_vectors_in_pieces_are_the_vectors(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    n, n_pieces = data.draw(st.integers(3, 40)), data.draw(st.integers(1, 4))
    values = (rng.random((n, 5)) * 10.0 ** rng.integers(-6, 6, (n, 5))).astype(np.float32)
    cuts = np.sort(rng.integers(0, n + 1, 5))
    spans = [np.arange(a, b) for a, b in zip([0, *cuts], [*cuts, n], strict=True)]
    client = FakeClient()
    with DaskExecutor(client, "fake", 1) as executor:
        owned = [
            [span for number, span in enumerate(spans) if number % n_pieces == piece]
            for piece in range(n_pieces)
        ]
        pieces = [
            Piece([client.submit(np.asarray, values[span], pure=False) for span in own], np.concatenate(own))
            for own in owned
            if own
        ]
        table, held = RemoteVectors(executor, pieces, values.shape), HeldVectors(values)
        assert table.quantum == held.quantum
        some = rng.permutation(n)[: data.draw(st.integers(0, n))]
        np.testing.assert_array_equal(table.rows(some), values[some])
        gathered, part = table.part(np.sort(some)), held.part(np.sort(some))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(remote_vectors, "GATHERED_ROWS", 0)
            remote = table.part(np.sort(some))
        centroids = values[rng.integers(0, n, 3)]
        for one, other in ((table, held), (gathered, part), (remote, part)):
            for found, expected in zip(one.assign(centroids), other.assign(centroids), strict=True):
                np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(table.project(values[:2]), held.project(values[:2]), rtol=1e-5)


@pytest.mark.parametrize("shape", [(24, 32), (1, 40), (300, 200), (5, 3)])
@pytest.mark.parametrize("band_rows", [1, 3])
def test_chunks_cover_the_scan_in_whole_bands(shape, band_rows):
    chunks = chunk_bounds(shape, band_rows)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == shape[0] * shape[1]
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(chunks))
    assert all(start % (band_rows * shape[1]) == 0 for start, _ in chunks)
    assert max(stop - start for start, stop in chunks) <= 16384 + band_rows * shape[1]


def test_a_large_scan_has_more_chunks_not_larger_ones():
    assert len(chunk_bounds((2048, 2048), 64)) == 32  # of one band each
    assert max(stop - start for start, stop in chunk_bounds((2048, 2048), 1)) == 16384


def executor_that_is_silent(monkeypatch, **client):
    made = FakeClient(**client)
    made.is_silent = True
    monkeypatch.setattr("streamer.analysis.dask_executor.POLL_S", 0.0)
    return made, DaskExecutor(made, "tcp://there:1", 1)


def test_a_cancel_is_passed_on(scan, monkeypatch):
    client, executor = executor_that_is_silent(monkeypatch)
    cancel = Cancel()
    cancel.request()
    with open_scan(scan.raw) as opened, executor, pytest.raises(ScanStopped):
        analyze(opened, cancel=cancel, executor=executor)
    assert len(client.cancelled) == 16


def test_a_cancel_counts_while_answers_come(scan):
    client, cancel = FakeClient(), Cancel()

    def stop(name, fraction):
        if name == "patterns" and fraction > 0:
            cancel.request()

    with (
        open_scan(scan.raw) as opened,
        DaskExecutor(client, "fake", 1) as executor,
        pytest.raises(ScanStopped),
    ):
        analyze(opened, progress=stop, cancel=cancel, executor=executor)
    assert client.told == ["cancel", on_worker.leave]


@pytest.mark.parametrize("stage", ["align", "features", "hierarchy", "patterns"])
def test_whatever_interrupts_cancels_what_was_asked_before_workers_leave_the_scan(scan, stage, monkeypatch):
    monkeypatch.setattr(remote_vectors, "GATHERED_ROWS", 100)
    monkeypatch.setattr(dask_executor, "SENT_ROWS", 0)
    client = FakeClient()

    def interrupt(name, fraction):
        if name == stage and fraction > 0:
            raise KeyboardInterrupt

    with open_scan(scan.raw) as opened, DaskExecutor(client, "fake", 2) as executor:
        with pytest.raises(KeyboardInterrupt):
            analyze(opened, progress=interrupt, executor=executor)
        assert client.told == ["cancel", on_worker.leave]
        # Futures that were let go of are dask's to forget.
        assert len({future.key for future in client.cancelled}) >= 16
        analyze(opened, executor=executor)
    assert client.told[2:] == [on_worker.leave]


@pytest.mark.parametrize(
    ("client", "sentence"),
    [({"n_workers": 0}, "has lost its last worker"), ({"status": "closed"}, "does not answer any more")],
)
def test_nobody_there_any_more_is_said(scan, monkeypatch, client, sentence):
    monkeypatch.setattr("streamer.analysis.dask_executor.PATIENCE_S", 0.0)
    _, executor = executor_that_is_silent(monkeypatch, **client)
    with (
        open_scan(scan.raw) as opened,
        executor,
        pytest.raises(WorkersLost, match=f"tcp://there:1 {sentence}"),
    ):
        analyze(opened, executor=executor)


def test_exact_momentum_space_and_contradictions_are_refused(scan):
    exact = AnalysisSettings(momentum={"exact": True})
    with open_scan(scan.raw) as opened, DaskExecutor(FakeClient(), "fake", 1) as executor:
        with pytest.raises(SettingsError, match="computed on one machine"):
            analyze(opened, exact, executor=executor)
    done = CliRunner().invoke(command, [str(scan.raw), "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"])
    assert "contradict each other" in str(done.exception)


def test_a_worker_that_sees_another_file_says_so(scan, tmp_path):
    source = ScanSource(scan.raw, AnalysisSettings(), "sha256-sample:other")
    with pytest.raises(FileFormatError, match=r"has the checksum .*, expected sha256-sample:other"):
        with source.opened():
            pass
    missing = ScanSource(Path(tmp_path / "gone.raw"), AnalysisSettings(), "")
    with pytest.raises(FileFormatError, match="does not exist"):
        with missing.opened():
            pass


def test_a_worker_keeps_a_scan_open_for_one_analysis_and_no_longer(scan, monkeypatch):
    opened = []

    def open_it(*arguments, **told):
        opened.append(open_scan(*arguments, **told))
        return opened[-1]

    monkeypatch.setattr("streamer.analysis.source.open_scan", open_it)
    with open_scan(scan.raw) as own:
        one, other, third = (ScanSource.of(own, AnalysisSettings()) for _ in range(3))
    with on_worker.scan_of(one) as (first, buffers):
        pass
    with on_worker.scan_of(one) as (again, same_buffers), on_worker.scan_of(one) as (_, more_buffers):
        assert again is first
        assert same_buffers is buffers is not more_buffers
        asyncio.run(on_worker.leave(one))
        assert is_open(first, scan)  # a chunk of it is being computed
    assert not is_open(first, scan)
    with pytest.raises(ScanStopped, match="has ended"), on_worker.scan_of(one):  # a chunk that comes late
        pass
    with on_worker.scan_of(other) as (anew, _):
        pass
    with on_worker.scan_of(third) as (last, _):  # of another analysis: the file may have changed
        assert anew is not last
        assert not is_open(anew, scan)
        asyncio.run(on_worker.leave(other))  # comes late, and is of no scan that is open
    with on_worker.scan_of(third) as (again, _):
        assert again is last
    asyncio.run(on_worker.leave(third))
    assert len(opened) == 3
    assert not any(is_open(one, scan) for one in opened)


def test_a_worker_without_memory_for_buffers_does_not_keep_the_scan(scan, monkeypatch):
    def no_room(scan):
        raise MemoryError

    with open_scan(scan.raw) as own:
        source = ScanSource.of(own, AnalysisSettings())
    with on_worker.scan_of(source) as (opened, _), monkeypatch.context() as patch:
        patch.setattr(on_worker, "Buffers", no_room)
        with pytest.raises(MemoryError) as kept_by_dask, on_worker.scan_of(source):
            pass
    asyncio.run(on_worker.leave(source))
    assert not is_open(opened, scan)
    assert kept_by_dask.tb is not None


def test_a_worker_answers_while_it_opens_a_scan(scan, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def open_slowly(*arguments, **told):
        begun.set()
        assert go_on.wait(60)
        return open_scan(*arguments, **told)

    def chunk():
        with on_worker.scan_of(source) as (opened, _):
            return opened, is_open(opened, scan)

    with open_scan(scan.raw) as own:
        source = ScanSource.of(own, AnalysisSettings())
    monkeypatch.setattr("streamer.analysis.source.open_scan", open_slowly)
    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(chunk)
        assert begun.wait(60)
        asyncio.run(on_worker.leave(source))
        go_on.set()
        opened, was_open = working.result()
    assert was_open
    assert not is_open(opened, scan)


def is_open(opened, scan):
    try:
        np.testing.assert_array_equal(opened.pattern(3, 4), scan.frames[3 * 32 + 4])
    except FileFormatError:
        return False
    return True
