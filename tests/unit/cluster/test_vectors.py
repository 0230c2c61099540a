"""Tables of vectors: exact sums whatever the blocks, and scratch files for what does not fit into memory."""

import mmap
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import analyze, open_scan
from streamer.cluster import tables
from streamer.cluster.tables import new_table
from streamer.cluster.vectors import HeldVectors
from streamer.errors import RecordingError
from streamer.settings import AnalysisSettings
from tests.simulated import simulate


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_sums_are_exact_in_any_order_and_close_to_the_plain_ones(seed, n):
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal((n, 4)) * 10.0 ** rng.integers(-8, 8)).astype(np.float32)
    order = rng.permutation(n)
    origin = np.zeros((1, 4), np.float32)
    sums, shuffled = (HeldVectors(one).assign(origin).sums for one in (values, values[order]))
    np.testing.assert_array_equal(sums, shuffled)
    largest = np.abs(values).max()
    np.testing.assert_allclose(sums[0], values.astype(np.float64).sum(axis=0), atol=1e-9 * n * largest)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_parts_of_parts_are_the_vectors_that_were_chosen(seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((40, 5)).astype(np.float32)
    first = np.flatnonzero(rng.random(40) < 0.7)
    second = np.flatnonzero(rng.random(len(first)) < 0.5)
    whole, part = HeldVectors(values), HeldVectors(values).part(first).part(second)
    alone = HeldVectors(values[first][second], None, whole.quantum)
    assert part.shape == alone.shape == (len(second), 5)
    np.testing.assert_array_equal(part.rows(slice(None)), values[first][second])
    for found, expected in zip(part.assign(values[:3]), alone.assign(values[:3]), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(part.project(values[:2]), alone.project(values[:2]))


def test_nothing_and_zeros_have_sums_too():
    origin = np.zeros((1, 3), np.float32)
    for values in (np.zeros((0, 3), np.float32), np.zeros((2, 3), np.float32)):
        assert (HeldVectors(values).assign(origin).sums == 0).all()


def test_a_table_that_is_too_large_for_memory_is_a_file_without_a_name(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tables, "memory_bytes", lambda: 4 * 4 * 5 * 4)
    assert new_table(5, 4).base is None
    table = new_table(6, 4)
    assert table.base is not None
    table[:] = np.arange(24, dtype=np.float32).reshape(6, 4)
    np.testing.assert_array_equal(table[5], [20, 21, 22, 23])
    assert list(tmp_path.iterdir()) == []


def test_of_a_table_in_a_file_the_pages_of_the_rows_that_are_wanted_are_read_and_no_others(
    monkeypatch, tmp_path
):
    asked = set()

    class Spied(mmap.mmap):
        def madvise(self, option, start, length):
            assert option == mmap.MADV_WILLNEED
            assert start % mmap.PAGESIZE == 0
            asked.update(range(start // mmap.PAGESIZE, -(-(start + length) // mmap.PAGESIZE)))
            super().madvise(option, start, length)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tables, "memory_bytes", lambda: 0)
    monkeypatch.setattr(mmap, "mmap", Spied)
    values = np.random.default_rng(3).normal(size=(400, 900)).astype(np.float32)
    table = new_table(*values.shape)
    table[:] = values
    chosen = np.array([3, 4, 5, 90, 92, 399])
    uses = [
        lambda part: part.rows(slice(None)),
        lambda part: part.assign(values[:2]),
        lambda part: part.project(values[:2]),
    ]
    for first in (0, 1):  # rows of a part of the table stand elsewhere in the file
        own = chosen - first
        bytes_of_rows = (4 * 900 * chosen[:, None] + np.arange(4 * 900)).ravel()
        for use in uses:
            asked.clear()
            found, expected = (
                use(HeldVectors(one, None, 2.0**-30, own)) for one in (table[first:], values[first:])
            )
            assert asked == set((bytes_of_rows // mmap.PAGESIZE).tolist())
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    tables.read_ahead(table, chosen[:0])
    tables.read_ahead(values, chosen)


def test_a_disk_too_small_for_the_scratch_file_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tables, "memory_bytes", lambda: 0)
    with pytest.raises(RecordingError, match=r"take 9\.31e\+05 GiB.* Set TMPDIR"):
        new_table(10**12, 250)


def test_an_analysis_in_scratch_files_is_the_same(monkeypatch, tmp_path):
    scan = simulate(tmp_path, (20, 24))
    quick = AnalysisSettings(momentum={"enabled": False}, lattice={"enabled": False})
    with open_scan(scan.raw) as opened:
        in_memory = analyze(opened, quick)
        monkeypatch.setattr(tables, "memory_bytes", lambda: 0)
        in_files = analyze(opened, quick)
    for name, values in in_memory.arrays.items():
        np.testing.assert_array_equal(in_files.arrays[name], values, err_msg=name)


def test_this_computer_s_memory_is_known_or_assumed(monkeypatch):
    assert 1 << 28 < tables.memory_bytes() < 1 << 46
    monkeypatch.delattr("os.sysconf")
    assert tables.memory_bytes() == tables.UNKNOWN_MEMORY_BYTES


@pytest.mark.parametrize(
    ("groups", "files", "limits"),
    [
        ("0::/jobs/seven\n", {"jobs/seven/memory.max": "max", "jobs/memory.max": "3000"}, [3000]),
        (
            "4:cpu,memory:/box\n2:cpuset:/\n0::/\n",
            {
                "memory/box/memory.limit_in_bytes": "5000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            [5000, 9223372036854771712],
        ),
        ("0::/\n", {}, []),
    ],
)
def test_what_a_batch_job_may_take_counts(tmp_path, groups, files, limits):
    (tmp_path / "proc/self").mkdir(parents=True)
    assert tables.control_group_limits(tmp_path) == []
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert tables.control_group_limits(tmp_path) == limits
