"""A source of snapshots without thread or socket: the test turns the crank."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gui.presenters.snapshot import Answer, Link, PatternAnswer, Request, Snapshot
from gui.presenters.status import EngineStatus
from tests.widgets.fake_scan import phases


class FakeSource:
    """Shows one of the five phases; answers patterns at once; notes what was asked and commanded."""

    def __init__(self, phase: str, scan_shape=(48, 64)) -> None:
        self.scan, self.state, arrays = phases(scan_shape=scan_shape)[phase]
        self.snapshot = Snapshot(
            sequence=1,
            link=Link.CONNECTED,
            endpoint="tcp://127.0.0.1:1",
            status=EngineStatus.from_json(self.state),
            arrays=MappingProxyType(arrays),
        )
        self.asked: list[Any] = []
        self.commands: list[str] = []
        self.requests: list[Request] = []
        self.failure: Exception | None = None

    def change(self, **changes: Any) -> None:
        """Publish another snapshot."""
        self.snapshot = replace(self.snapshot, sequence=self.snapshot.sequence + 1, **changes)

    def latest(self) -> Snapshot:
        return self.snapshot

    def want_pattern(self, position_yx) -> None:
        self.asked.append(position_yx)
        if position_yx is not None:
            version = 1 + (self.snapshot.pattern.version if self.snapshot.pattern else 0)
            self.change(pattern=PatternAnswer(position_yx, version, self.scan.pattern(*position_yx)))

    def want_compared(self, position_yx) -> None:
        if position_yx is not None:
            version = 1 + (self.snapshot.compared.version if self.snapshot.compared else 0)
            self.change(compared=PatternAnswer(position_yx, version, self.scan.pattern(*position_yx)))

    def command(self, name: str) -> None:
        self.commands.append(name)

    def ask(self, request: Request) -> None:
        self.requests.append(request)

    def reply(self, request: Request, error: str = "", arrays: Any = (), **fields: Any) -> None:
        """Answer a request."""
        number = 1 + max((answer.number for answer in self.snapshot.answers.values()), default=0)
        answer = Answer(number, request, fields, tuple(arrays), error)
        self.change(answers={**self.snapshot.answers, request.slot or request.method: answer})

    def raise_if_failed(self) -> None:
        if self.failure is not None:
            raise self.failure
