"""Which messages of a sender are under way, and how many more the engine has room for."""

from dataclasses import dataclass, field


@dataclass
class Flight:
    """Messages under way, as (seq, first frame, stop), and what the engine has said of them."""

    messages: list[tuple[int, int, int]] = field(default_factory=list)
    credit: int = 0

    def sent(self, seq: int, start: int, stop: int) -> None:
        """Message `seq` carries frames [start, stop)."""
        self.messages.append((seq, start, stop))

    def room(self) -> int:
        """Frames that may be sent now."""
        return self.credit - sum(stop - start for _, start, stop in self.messages)

    def granted(self, credit: int, seq_seen: int) -> None:
        """The engine has seen messages up to `seq_seen`: they have arrived, or never will."""
        self.credit = credit
        self.messages = [entry for entry in self.messages if entry[0] > seq_seen]

    def sent_after(self, seq_seen: int) -> list[tuple[int, int]]:
        """Frames of messages that the engine had not seen."""
        return [(start, stop) for seq, start, stop in self.messages if seq > seq_seen]
