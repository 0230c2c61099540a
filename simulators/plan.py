"""Which frames of a scan are still to be sent, and which have been."""

from streamer.wire.sequence import IntervalSet


class Plan:
    """What a sender has, what it has sent, what the engine has.

    Attributes
    ----------
    to_send
        Frames to be sent now, lowest index first.
    was_sent
        Frames that went out at least once.
    n_resent
        Frames that went out again, counted each time.
    """

    def __init__(self, available: IntervalSet) -> None:
        self._available = self.to_send = available
        self.was_sent = self.stored = IntervalSet()
        self.n_resent = 0

    @property
    def n_known(self) -> int:
        """Different frames that were sent or are at the engine: what the end message says."""
        return self.was_sent.union(self.stored).total

    def first(self) -> tuple[int, int]:
        """The first stretch [start, stop) to be sent; there must be one."""
        return next(iter(self.to_send))

    def begin(self, stored: IntervalSet) -> None:
        """The engine has these frames; all others are to be sent, once more where they went out before."""
        self.stored = stored
        self.to_send = IntervalSet(gap for start, stop in self._available for gap in stored.gaps(start, stop))

    def extend(self, available: IntervalSet) -> None:
        """The sender has more frames than before: they are to be sent unless the engine has them."""
        for start, stop in available:
            for gap in self._available.gaps(start, stop):
                for wanted in self.stored.gaps(*gap):
                    self.to_send = self.to_send.add(*wanted)
        self._available = available

    def sent(self, start: int, stop: int) -> int:
        """Note that [start, stop) went out; how many of them for the first time."""
        n_new = self.was_sent.gaps(start, stop).total
        self.n_resent += stop - start - n_new
        self.was_sent = self.was_sent.add(start, stop)
        self.to_send = self.to_send.remove(start, stop)
        return n_new

    def send_again(self, wanted: tuple[tuple[int, int], ...], on_their_way: list[tuple[int, int]]) -> None:
        """Frames that the engine asks for: those that went out before, and are not on their way again already."""
        again = IntervalSet(wanted)
        for start, stop in wanted:
            for never_sent in self.was_sent.gaps(start, stop):
                again = again.remove(*never_sent)
        for stretch in on_their_way:
            again = again.remove(*stretch)
        self.to_send = self.to_send.union(again)
