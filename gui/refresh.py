"""The window's eyes and hands: one plain thread that owns the connection to the engine.

Reads: the engine's published states, its arrays whose version changed, the pattern that is wanted now.
Writes: `Snapshot` values into a slot that holds the newest one; the window polls it on its own clock.
Thread: "livestem-refresh". Nothing is pushed: no callback and no Qt signal leaves this thread.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import zmq

from gui.greeting import Greeting
from gui.presenters.snapshot import (
    Answer,
    Link,
    Notice,
    PatternAnswer,
    Request,
    Snapshot,
    StreamHistory,
)
from gui.presenters.status import EngineStatus
from gui.requests import NOT_ANSWERED, TOO_MANY, RequestQueue
from streamer.client import EngineClient
from streamer.errors import EngineUnreachable, LivestemError, WireError
from streamer.model import EngineState
from streamer.security.keys import ClientKeys
from streamer.wire.control import ControlVersionError

logger = logging.getLogger("livestem.window")

POLL_S = 0.02
SILENCE_S = 2.0
"""The engine publishes at least twice in this time; after it, it is asked whether it is still there."""
ANSWER_S = 2.0
RETRY_S = 1.0
HISTORY_S = 120

PERIOD_WHILE_RUNNING_S = 0.2
"""During a scan an array is got at most so often: drawings are dropped, never data."""
LONGER_PERIODS_S: dict[str, float] = dict.fromkeys(
    ("cluster_patterns", "mean_pattern", "com_yx", "elbow", "radial_std"), 1.0
)
"""Of arrays that are large or change little."""

DISPLAYED_ARRAYS = (
    "label_maps",
    "bright_field",
    "annular_dark_field",
    "cluster_patterns",
    "mean_pattern",
    "received",
    "radial_std",
    "features",
    "elbow",
    "com_yx",
    "residual_yx",
    "virtual_images",
    "momentum_labels",
    "momentum_images",
    "manifold",
    "manifold_index",
    "lattice_constant_nm",
    "lattice_spacing_px",
    "lattice_rotation_rad",
    "lattice_strain",
    "lattice_width",
    "lattice_quality",
)


class RefreshThread:
    """Follows one engine and hands over snapshots.

    Parameters
    ----------
    publish, control
        Endpoints of the engine.
    engine_exit_code
        Tells how the engine's process ended, None while it runs or where it is not ours.
    clock
        Seconds that only go forward.
    keys
        For an engine that was started with keys.
    greeting
        Says to the engine who watches.
    """

    def __init__(
        self,
        publish: str,
        control: str,
        engine_exit_code: Callable[[], int | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        keys: ClientKeys | None = None,
        greeting: Greeting | None = None,
    ) -> None:
        self._keys = keys
        self._greeting = greeting or Greeting()
        self._publish_endpoint, self._control_endpoint = publish, control
        self._engine_exit_code = engine_exit_code
        self._clock = clock
        self._snapshot = Snapshot(endpoint=publish)
        self._wanted: dict[str, tuple[int, int] | None] = {"pattern": None, "compared": None}
        self._requests = RequestQueue()
        self._history: deque[tuple[float, float, float]] = deque(maxlen=HISTORY_S)
        self._pull_not_before = 0.0
        self._asked_anew: set[str] = set()
        self._pulled_at: dict[str, float] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="livestem-refresh", daemon=True)

    def start(self) -> None:
        """Start to follow the engine."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it waits at most for the request that is under way."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(ANSWER_S + 4.0)

    def raise_if_failed(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._failure is not None:
            raise LivestemError(
                f"The connection to the engine failed: {self._failure}. What is shown stays; "
                "close this window and open it again."
            ) from self._failure

    def latest(self) -> Snapshot:
        """The newest snapshot; the same object as long as nothing is new."""
        return self._snapshot

    def want_pattern(self, position_yx: tuple[int, int] | None) -> None:
        """Ask for the pattern of a scan position; an older wish that is not yet met is dropped."""
        self._want("pattern", position_yx)

    def want_compared(self, position_yx: tuple[int, int] | None) -> None:
        """Ask for a second pattern, to stand beside the first."""
        self._want("compared", position_yx)

    def _want(self, which: str, position_yx: tuple[int, int] | None) -> None:
        if position_yx != self._wanted[which]:
            self._wanted[which] = position_yx
            self._asked_anew.add(which)
            self._wake.set()

    def command(self, name: str) -> None:
        """Send "stop", "analyze" or "cancel" to the engine; one that is gone gets nothing later on."""
        self.ask(Request(name))

    def ask(self, request: Request) -> None:
        """Ask the engine for something; its answer is in a later snapshot. One that is gone is asked nothing."""
        if self._snapshot.link is not Link.CONNECTED:
            return
        if self._requests.put(request):
            self._wake.set()
        else:
            logger.warning("%s", TOO_MANY.format(n=len(self._requests), method=request.method))

    def _run(self) -> None:
        context = zmq.Context()
        try:
            while not self._stopping.is_set():
                try:
                    # A new client each time: what an engine that is gone never read is thrown away with the
                    # old socket, so that no stale "stop" reaches the engine that comes back.
                    publish, control = self._publish_endpoint, self._control_endpoint
                    with EngineClient(publish, control, context, self._keys) as client:
                        self._follow(client)
                except (EngineUnreachable, ControlVersionError) as error:
                    if isinstance(error, ControlVersionError):
                        self._notify(str(error))
                    self._lose_engine()
                    self._stopping.wait(RETRY_S)
        except Exception as error:
            self._failure = error
        finally:
            context.destroy(linger=0)

    def _follow(self, client: EngineClient) -> None:
        self._accept(client.state(timeout_s=ANSWER_S))
        self._greeting.begin()
        heard_at = self._clock()
        while not self._stopping.is_set():
            state = self._newest_state(client)
            if state is None and self._clock() - heard_at > SILENCE_S:
                state = client.state(timeout_s=ANSWER_S)
            if state is not None:
                heard_at = self._clock()
                self._accept(state)
            known = self._greeting.follow(client)
            if any(getattr(self._snapshot, name) != value for name, value in known.items()):
                self._publish(**known)
            self._send_requests(client)
            self._answer_pattern(client, again=state is not None)
            if self._clock() >= self._pull_not_before:
                self._pull_arrays(client)
            self._wake.wait(POLL_S)
            self._wake.clear()
        viewers = self._snapshot.status.viewers
        if viewers is not None and viewers.holder is not None and viewers.holder == self._snapshot.viewer:
            # Otherwise the next window would wait until this one counts as vanished.
            with contextlib.suppress(LivestemError):
                client.request("leave_charge", timeout_s=ANSWER_S)

    def _newest_state(self, client: EngineClient) -> dict[str, Any] | None:
        try:
            return client.newest_state()
        except WireError as error:
            self._notify(str(error))
            return None

    def _accept(self, state: dict[str, Any]) -> None:
        """Take a state over; arrays of another scan or engine, and those no longer there, are dropped."""
        try:
            status = EngineStatus.from_json(state)
        except (ValueError, TypeError, KeyError) as error:
            self._notify(
                f"A state of the engine cannot be read ({error!r}). Install the same version on both sides."
            )
            return
        before = self._snapshot
        is_other = before.link is not Link.CONNECTING and _identity(status) != _identity(before.status)
        arrays = {name: entry for name, entry in before.arrays.items() if name in status.array_versions}
        self._publish(
            link=Link.CONNECTED,
            attempt=0,
            engine_exit_code=None,
            status=status,
            reset=before.reset + is_other,
            arrays=MappingProxyType({} if is_other else arrays),
            answers=MappingProxyType({}) if is_other else before.answers,
            pattern=None if is_other else before.pattern,
            compared=None if is_other else before.compared,
            history=self._remember(status),
        )

    def _remember(self, status: EngineStatus) -> StreamHistory:
        now = self._clock()
        if self._history and now - self._history[-1][0] < 1.0:
            return self._snapshot.history
        self._history.append((now, status.receive_hz, status.lag_s))
        times, rates, lags = zip(*self._history, strict=True)
        return StreamHistory(tuple(t - now for t in times), rates, lags, self._snapshot.history.version + 1)

    def _lose_engine(self) -> None:
        if self._snapshot.link is Link.CONNECTING and self._engine_exit_code() is None:
            self._publish(attempt=self._snapshot.attempt + 1)
            return
        for request in self._requests.clear():
            self._take_answer(self._requests.answer(request, NOT_ANSWERED.format(method=request.method)))
        self._publish(
            link=Link.GONE, attempt=self._snapshot.attempt + 1, engine_exit_code=self._engine_exit_code()
        )

    def _send_requests(self, client: EngineClient) -> None:
        """Send what is asked and take what was answered; a refusal is said, a change is looked at at once."""
        self._requests.send(client, ANSWER_S)
        answers = list(self._requests.receive(client))
        for answer in answers:
            self._take_answer(answer)
        if answers and not all(answer.request.slot for answer in answers):
            self._accept(client.state(timeout_s=ANSWER_S))
        if len(self._requests) != self._snapshot.n_waiting:
            self._publish(n_waiting=len(self._requests))

    def _take_answer(self, answer: Answer) -> None:
        slot = answer.request.slot or answer.request.method
        self._publish(answers=MappingProxyType({**self._snapshot.answers, slot: answer}))
        if answer.error and not answer.request.slot:
            self._notify(answer.error)

    def _pull_arrays(self, client: EngineClient) -> None:
        """Get what changed, one array at a time, so that a wanted pattern never waits for all of them."""
        started = self._clock()
        versions = self._snapshot.status.array_versions
        for name in DISPLAYED_ARRAYS:
            held = self._snapshot.arrays.get(name)
            if self._stopping.is_set() or name not in versions or (held and held.version == versions[name]):
                continue
            if held and self._is_too_soon(name):
                continue
            self._pulled_at[name] = self._clock()
            since = {} if held is None else {name: held.version}
            reply = client.request("get", timeout_s=ANSWER_S, names=[name], since=since)
            if reply.arrays:
                self._publish(arrays=MappingProxyType({**self._snapshot.arrays, name: reply.arrays[0]}))
            self._answer_pattern(client)
            self._requests.send(client, ANSWER_S)
        # Half the time at most goes into pulling: a slow line makes the window slower, not the engine.
        now = self._clock()
        self._pull_not_before = now + (now - started)

    def _is_too_soon(self, name: str) -> bool:
        """Whether a newer version can wait: it comes with the next look, and at once when the scan ends."""
        if self._snapshot.status.state is not EngineState.RUNNING:
            return False
        period_s = LONGER_PERIODS_S.get(name, PERIOD_WHILE_RUNNING_S)
        return self._clock() - self._pulled_at.get(name, -period_s) < period_s

    def _answer_pattern(self, client: EngineClient, *, again: bool = False) -> None:
        """Get what is wanted; a pattern that was not there yet is asked for again with every new state."""
        if self._snapshot.status.scan is None:
            return
        for which, answer in (("pattern", self._snapshot.pattern), ("compared", self._snapshot.compared)):
            wanted_yx = self._wanted[which]
            if wanted_yx is None:
                continue
            may_have_come = again or which in self._asked_anew
            self._asked_anew.discard(which)
            if (
                answer is not None
                and answer.position_yx == wanted_yx
                and not (may_have_come and answer.error)
            ):
                continue
            self._publish(
                **{which: self._ask_pattern(client, wanted_yx, 1 + (answer.version if answer else 0))}
            )

    def _ask_pattern(self, client: EngineClient, position_yx: tuple[int, int], version: int) -> PatternAnswer:
        y, x = position_yx
        try:
            values = client.request("pattern", timeout_s=ANSWER_S, y=y, x=x).array("pattern")
            return PatternAnswer(position_yx, version, values)
        except EngineUnreachable:
            raise
        except (LivestemError, KeyError) as error:
            return PatternAnswer(position_yx, version, None, str(error))

    def _notify(self, text: str) -> None:
        held = self._snapshot.notice
        if held is None or held.text != text:
            self._publish(notice=Notice(1 + (held.number if held else 0), text))

    def _publish(self, **changes: Any) -> None:
        self._snapshot = replace(self._snapshot, sequence=self._snapshot.sequence + 1, **changes)


def _identity(status: EngineStatus) -> tuple[int, str | None]:
    return status.engine_pid, status.scan.scan_id if status.scan else None
