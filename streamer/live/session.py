"""The compute thread of one scan: takes frames from the ring, runs the pipeline, publishes snapshots.

Revisions (mask, clusters, apertures) are worked on in a second thread, so that frames go on being measured.

Reads: a ring reader, the recording. Writes: its snapshot board. Threads: two of its own.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ProcessingError, ScanStopped
from streamer.formats.preparation import FramePreparation
from streamer.live.overrides import Overrides
from streamer.live.pipeline import LivePipeline
from streamer.live.revision import BLOCK_FRAMES, PatternSource, Revision
from streamer.live.snapshot import LiveSnapshot, SnapshotBoard
from streamer.receive.ring import RingReader
from streamer.settings import settings_id
from streamer.wire.control import NamedArray
from streamer.wire.sequence import IntervalSet

PUBLISH_PERIOD_S = 0.1
BORROW_TIMEOUT_S = 0.05
RECORDER_POLL_S = 0.01
GATHER_S = 0.02
"""Frames are waited for so long that a batch is worth its overhead; a screen shows it no later for that."""
REST_SHARE = 3.0
"""After a revision the second thread rests so many times as long as it took: frames come first on few cores."""
SLOW_PERIOD_S = 1.0
"""Images of apertures are large and change little from one batch to the next."""


class LiveSession:
    """Runs a `LivePipeline` in a thread.

    Parameters
    ----------
    pipeline
        Used by this thread alone from `start` on.
    reader
        A skipping reader beside a recording, a lossless one without.
    board
        Where snapshots go.
    stored
        The recording, for patterns that were skipped; None without one.
    first_version
        Versions of arrays count up from here.
    clock
        Seconds, the same clock as the ring's arrival times.
    is_recorded
        Whether the recorder has written everything that came; asked for after the last frame.
    preparation
        What is done to the ring's frames before they are analysed; None: nothing. `stored` does it by itself.
    """

    def __init__(
        self,
        pipeline: LivePipeline,
        reader: RingReader,
        board: SnapshotBoard,
        stored: PatternSource | None,
        first_version: int,
        clock: Callable[[], float],
        is_recorded: Callable[[], bool] = lambda: True,
        preparation: FramePreparation | None = None,
        reads_again: Callable[[], bool | None] = lambda: True,
    ) -> None:
        self._pipeline, self._reader, self._board = pipeline, reader, board
        self._stored, self._first_version, self._clock = stored, first_version, clock
        self._is_recorded, self._preparation, self._reads_again = is_recorded, preparation, reads_again
        self._thread = threading.Thread(target=self._run, name="livestem-compute")
        self._failure: BaseException | None = None
        self._done_frames = IntervalSet()
        self._wanted: Overrides | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._versions: dict[str, int] = {}
        self._slow_arrays: dict[str, NamedArray] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="livestem-revision")
        self._revision: Revision | None = None
        self._working: Future[Revision] | None = None
        self._rest_until_s = self._begun_s = -np.inf
        self._is_drained = threading.Event()
        self._settled_share: float | None = None
        self._last_published_s = self._last_slow_s = -np.inf
        self._n_published = 0
        self._n_caught_up = 0
        self._n_lines: int | None = None  # where it was not known before the end
        self._label_maps: NDArray[np.int32] | None = None
        self._room: NDArray[Any] | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End soon, without the closing pass; `join` afterwards."""
        self._stop.set()
        self._reader.detach()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    @property
    def is_finished(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    @property
    def is_drained(self) -> bool:
        """Whether every frame of the ring is in the live result; the closing pass may still be at work."""
        return self._is_drained.is_set() or self.is_finished

    @property
    def final_label_maps(self) -> NDArray[np.int32] | None:
        """Live labels (2, scan_y, scan_x) once the thread has ended; None before."""
        return self._label_maps

    def done_frames(self) -> IntervalSet:
        """Frame indices that have been analysed (or belong to no position)."""
        return self._done_frames

    def override(self, overrides: Overrides) -> None:
        """Ask for other values set by hand; followed at the next batch."""
        with self._lock:
            self._wanted = overrides

    def raise_if_failed(self) -> None:
        """Raise what ended the thread, if anything did.

        Raises
        ------
        ProcessingError
            With the cause; the recording is not touched by it.
        """
        if self._failure is not None:
            raise ProcessingError(
                f"The live analysis stopped: {self._failure}. The recording goes on and nothing is lost; "
                "analyse it when the scan has ended."
            ) from self._failure

    def _run(self) -> None:
        try:
            self._catch_up()  # on what an earlier run of this scan has left in the recording
            self._n_caught_up = 0
            while not self._stop.is_set() and not self._reader.exhausted:
                self._step()
            self._is_drained.set()
            while not self._is_recorded() and not self._stop.wait(RECORDER_POLL_S):
                pass  # what was skipped is read from the recording
            if not self._stop.is_set():
                self._catch_up()
                self._give_up_revision()
                self._follow_overrides()
                self._close()
                self._slow_changed()
            if self._pipeline.info.open_ended:
                self._n_lines = self._lines_seen()
            self._label_maps = self._pipeline.label_maps()[:, : self._n_lines]
            self._publish()
        except Exception as failure:  # kept for the owner; the recording must go on
            self._failure = failure
        finally:
            self._reader.detach()
            self._give_up_revision()
            self._worker.shutdown()

    def _close(self) -> None:
        """The closing pass; it reads nothing again where the analysis does, which has begun by then."""
        while (reads_again := self._reads_again()) is None and not self._stop.wait(RECORDER_POLL_S):
            pass  # how the stream ended is known in a moment
        if reads_again is not None:
            self._pipeline.close(reads_again)

    def _step(self) -> None:
        batch = self._reader.borrow(BLOCK_FRAMES, BORROW_TIMEOUT_S)
        if batch is not None:
            try:
                self._take(batch.frames, batch.scan_indices)
                self._done_frames = self._done_frames.add_indices(batch.frame_indices)
            finally:
                self._reader.release(batch)
            if len(batch) < BLOCK_FRAMES // 2 and not self._reader.exhausted:
                self._stop.wait(GATHER_S)
        self._follow_overrides()
        self._maintain()

    def _follow_overrides(self) -> None:
        with self._lock:
            if self._wanted is None:
                return
            wanted, self._wanted = self._wanted, None
        self._pipeline.override(wanted)

    def _maintain(self) -> None:
        """Begin a revision where one is due, adopt it when it is done, publish in time."""
        pipeline = self._pipeline
        if self._revision is None or self._working is None:
            now = self._clock()
            if pipeline.is_asked() or (now >= self._rest_until_s and pipeline.is_due()):
                self._revision, self._begun_s = pipeline.revise(), now
                self._working = self._worker.submit(self._revision.work)
        elif self._working.done():
            self._working.result()  # raises what went wrong there
            if pipeline.can_adopt(self._revision):
                pipeline.adopt(self._revision)
                self._revision = self._working = None
                now = self._clock()
                self._rest_until_s = now + REST_SHARE * (now - self._begun_s)
                self._slow_changed()
        if self._clock() - self._last_published_s >= PUBLISH_PERIOD_S:
            self._publish()

    def _give_up_revision(self) -> None:
        """The closing pass, or the end, makes it needless."""
        if self._revision is not None and self._working is not None:
            self._revision.cancelled.set()
            try:
                self._working.result()
            except ScanStopped:
                pass
            finally:
                self._revision = self._working = None

    def _take(self, frames: NDArray[Any], scan_indices: NDArray[np.int64]) -> None:
        new = scan_indices >= 0
        new[new] = self._pipeline.seen[scan_indices[new]] == 0
        if not new.any():
            return
        if not new.all():
            frames, scan_indices = frames[new], scan_indices[new]
        if self._preparation is not None:
            room = self._prepared_room(len(frames)) if self._preparation.changes_frames else None
            frames = self._preparation.apply(frames, scan_indices, room)
        self._pipeline.add(frames, scan_indices)

    def _prepared_room(self, n: int) -> NDArray[Any]:
        """Room for prepared frames, used again: the pipeline keeps none of those it is given."""
        info = self._pipeline.info
        if self._room is None or len(self._room) < n:
            self._room = np.empty((max(n, BLOCK_FRAMES), *info.detector_shape), info.dtype)
        return self._room

    def _catch_up(self) -> None:
        """Analyse what was skipped, from the recording: at the end every stored frame is in the live result."""
        if self._stored is None:
            return
        self._stored.refresh()
        missed = np.flatnonzero((self._stored.received.ravel() > 0) & (self._pipeline.seen == 0))
        info = self._pipeline.info
        room = np.empty((BLOCK_FRAMES, *info.detector_shape), info.dtype)
        for first in range(0, len(missed), BLOCK_FRAMES):
            if self._stop.is_set():
                return
            positions = missed[first : first + BLOCK_FRAMES]
            self._pipeline.add(self._stored.read_positions(positions, room), positions)
            self._n_caught_up += len(positions)
            self._maintain()

    def _lines_seen(self) -> int:
        seen = np.flatnonzero(self._pipeline.seen)
        return int(seen[-1]) // self._pipeline.info.scan_shape[1] + 1 if seen.size else 1

    def _slow_changed(self) -> None:
        """Arrays that change with mask or labels, not with every batch."""
        pipeline = self._pipeline
        model = pipeline.model
        if model is None or model.mask is None or not pipeline.clusters.ready:
            return
        self._last_slow_s = self._clock()
        patterns, ids = pipeline.cluster_patterns()
        mean, variance = pipeline.mean_and_variance()
        arrays = {
            "cluster_patterns": (patterns, {"ids": ids}),
            "mean_pattern": (mean.astype(np.float32), {}),
            "std_pattern": (np.sqrt(np.maximum(variance, 0.0)).astype(np.float32), {}),
            "radial_std": (pipeline.radial_std(), {}),
            "ring": (model.mask.ring, {}),
            "features": (model.mask.features, {}),
            "elbow": (self._elbow(), {}),
        }
        if model.momentum is not None:
            arrays["momentum_labels"] = (model.momentum.labels, {})
        for name, (values, meta) in arrays.items():
            self._slow_arrays[name] = NamedArray(name, values, self._next_version(name), meta)
        self._renew_apertures()

    def _renew_apertures(self) -> None:
        model = self._pipeline.model
        if model is None or model.momentum is None:
            return
        ids = [node.id for node in model.momentum.hierarchy.tree.nodes]
        name, images = "momentum_images", self._pipeline.momentum_images()[:, : self._n_lines]
        self._slow_arrays[name] = NamedArray(name, images, self._next_version(name), {"ids": ids})
        self._last_slow_s = self._clock()

    def _elbow(self) -> NDArray[np.float64]:
        """Rows node id, k, WSS of every node that was considered for a split."""
        rows = [
            (0 if parent < 0 else 1 + parent, k, wss)
            for parent, family in sorted(self._pipeline.clusters.families.items())
            if family.elbow is not None
            for k, wss in zip(family.elbow.k_values, family.elbow.wss, strict=True)
        ]
        return np.array(rows, np.float64).reshape(-1, 3)

    def _next_version(self, name: str) -> int:
        self._versions[name] = self._versions.get(name, self._first_version) + 1
        return self._versions[name]

    def _publish(self) -> None:
        pipeline, shape = self._pipeline, self._pipeline.info.scan_shape
        now = self._clock()
        if now - self._last_slow_s >= SLOW_PERIOD_S:
            self._renew_apertures()
        n_seen = int(np.count_nonzero(pipeline.seen))
        if not pipeline.clusters.is_settled:
            self._settled_share = None
        elif self._settled_share is None:
            self._settled_share = n_seen / pipeline.info.n_positions
        model = pipeline.model
        fast = {
            "label_maps": pipeline.label_maps(),
            "bright_field": pipeline.virtual[:, 0].reshape(shape).copy(),
            "annular_dark_field": pipeline.virtual[:, 1].reshape(shape).copy(),
            "com_yx": pipeline.centres_yx.astype(np.float32).reshape(*shape, 2),
            "received": pipeline.seen.reshape(shape).copy(),
        }
        arrays = dict(self._slow_arrays)
        for name in fast:
            axis = 1 if name == "label_maps" else 0
            values = fast[name][(slice(None),) * axis + (slice(self._n_lines),)]
            values.flags.writeable = False
            arrays[name] = NamedArray(name, values, self._next_version(name))
        oldest = self._reader.oldest_arrival_s
        in_force = self._in_force()
        self._n_published += 1
        self._board.publish(
            LiveSnapshot(
                version=self._n_published,
                arrays=arrays,
                tree=pipeline.nodes(),
                momentum_tree=tuple(model.momentum.hierarchy.tree.nodes) if model and model.momentum else (),
                n_analysed=n_seen,
                n_skipped=max(0, self._reader.n_skipped - self._n_caught_up),
                lag_s=max(0.0, now - oldest) if oldest is not None else 0.0,
                settings=in_force,
                settings_id=settings_id({"settings": pipeline.settings.model_dump(mode="json"), **in_force}),
                settled=self._settled_share is not None,
                settled_share=self._settled_share,
                remark=self._remark(),
            )
        )
        self._last_published_s = now

    def _remark(self) -> str:
        prepared = self._preparation.remark if self._preparation else ""
        return " ".join(part for part in (prepared, self._pipeline.remark) if part)

    def _in_force(self) -> dict[str, Any]:
        """Values in force, what the automatic choice says, and what was set by hand."""
        pipeline = self._pipeline
        model = pipeline.model
        if model is None or model.mask is None or model.auto_mask is None:
            return {"in_force": {}, "auto": {}, "manual": pipeline.overrides.to_json()}
        named = {}
        masks = {"in_force": (model.beam, model.mask), "auto": (model.look.beam, model.auto_mask)}
        for name, (beam, mask) in masks.items():
            named[name] = {
                "disk_radius_px": beam.radius_px,
                "inner_px": mask.inner_px,
                "outer_px": mask.outer_px,
                "threshold": mask.threshold,
                "n_features": int(mask.features.sum()),
                "n_defects": len(model.look.defects),
                "centre_yx": list(beam.centre_yx),
                "is_followed": beam.is_followed,
            }
        named["auto"]["disk_radius_px"] = model.look.automatic_radius_px
        nodes = pipeline.nodes()
        named["in_force"]["k"] = {node.name: node.k for node in nodes if node.level < 2}
        named["auto"]["k"] = {node.name: node.k_auto for node in nodes if node.level < 2}
        return {**named, "manual": pipeline.overrides.to_json()}
