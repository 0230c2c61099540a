"""Work that nobody waits for any more ends between blocks."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest

from streamer.cluster import divisive
from streamer.cluster.blocks import check_wanted, each, end_once
from streamer.cluster.divisive import DivisionRules, divide
from streamer.cluster.lloyd import kmeans
from streamer.errors import ScanStopped


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, ScanStopped])
def test_divisions_in_hand_end_when_the_hierarchy_is_stopped(monkeypatch, stopped_by):
    begun = threading.Event()

    def endless_below_the_root(vectors, k, rng, executor):
        found = kmeans(vectors, k, rng, executor)
        if len(vectors) < len(features):
            begun.set()
            while True:
                vectors.assign(found.centroids)
        return found

    def stop(name, fraction):
        if name == "1":
            assert begun.wait(60)
            raise stopped_by("now")

    monkeypatch.setattr(divisive, "kmeans", endless_below_the_root)
    features = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    rules = DivisionRules(levels=2, k_max=3, min_patterns=8, k_by_name={"all": 2, "1": 2, "2": 2})
    with ThreadPoolExecutor(2) as executor, pytest.raises(stopped_by):
        divide(features, rules, 0, executor, stop)


@pytest.mark.parametrize("n_threads", [0, 1])
def test_parts_end_once_they_are_dropped_and_not_before(n_threads):
    dropped, done = threading.Event(), []

    def work(part):
        done.append(part)
        if part == 2:
            dropped.set()
        return part

    def parts_of_a_thread():
        assert list(each(work, range(2), executor)) == [0, 1]
        end_once(dropped)
        check_wanted()
        with pytest.raises(CancelledError):
            list(each(work, range(9), executor))
        with pytest.raises(CancelledError):
            check_wanted()

    executor = ThreadPoolExecutor(n_threads) if n_threads else None
    with ThreadPoolExecutor(1) as of_the_node:
        of_the_node.submit(parts_of_a_thread).result()
    if executor:
        executor.shutdown()
    assert done == [0, 1, 0, 1, 2]
    check_wanted()  # another thread's work is still wanted
