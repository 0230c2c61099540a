"""The receiving side of the protocol, message by message, without socket or clock."""

import numpy as np
import pytest

from streamer.errors import RecordingError
from streamer.model import FinishReason, FrameCounters
from streamer.receive.ring import ReaderPolicy
from streamer.receive.scan_session import Earlier
from streamer.receive.stream import LOST_AFTER_S, MAX_ASKS, ScanStream
from streamer.wire.codec import make_frames as pack
from streamer.wire.messages import Ack, End, EndReason, FrameFlag, RefusalCode
from streamer.wire.sequence import IntervalSet
from tests.fakes import MemorySession, make_frames, scan_info

FRAMES = make_frames()


@pytest.fixture
def session():
    return MemorySession(scan_info())


@pytest.fixture
def stream(session):
    return ScanStream(session.info, session, now=0.0)


def send(stream, first, last, now=0.1, seq=1, flags=(), frames=FRAMES):
    message = pack(stream.info.scan_id, seq, first, np.ascontiguousarray(frames[first:last]))
    stream.heard(seq, now)
    return stream.take_frames(message.model_copy(update={"flags": flags}), now)


def end(stream, reason=EndReason.COMPLETE, frames_sent=35, dropped=0):
    message = End(
        scan_id=stream.info.scan_id,
        seq=99,
        reason=reason,
        frames_sent=frames_sent,
        frames_dropped_by_sender=dropped,
    )
    return stream.take_end(message)


def test_ready_grants_the_rings_room(stream, session):
    assert stream.started(0, 0.0).credit == session.ring.n_slots


def test_frames_reach_their_places_and_the_end_is_acknowledged_once_all_is_durable(stream, session):
    for first in range(0, 35, 5):
        assert send(stream, first, first + 5) == []
    assert end(stream) == []
    session.is_held = True
    assert stream.tick(1.0) == []
    session.is_held = False
    (last,) = stream.tick(1.1)
    assert isinstance(last, Ack)
    assert (last.end, last.below, last.finish_reason) == (True, 35, "COMPLETED")
    assert stream.is_over
    np.testing.assert_array_equal([session.frames[i] for i in range(35)], FRAMES)


def test_acknowledgements_follow_what_is_durable_and_give_credit_back(stream, session):
    send(stream, 0, 20, seq=7)
    session.is_held = True
    (ack,) = stream.tick(1.0)
    assert (ack.below, ack.credit, ack.seq_seen) == (0, 44, 7)
    session.is_held = False
    (ack,) = stream.tick(2.0)
    assert (ack.below, ack.credit) == (20, 64)
    assert stream.tick(2.5) == []
    assert stream.tick(3.0) == [ack.model_copy(update={"seq": ack.seq + 1})]  # again, in case it was lost


def test_order_does_not_matter_and_repeats_are_counted_and_dropped(stream, session):
    send(stream, 10, 20)
    send(stream, 0, 10)
    send(stream, 5, 12)
    counters = stream.counters
    assert (counters.frames_received, counters.frames_late, counters.frames_repeated) == (20, 10, 7)
    session.take()
    np.testing.assert_array_equal([session.frames[i] for i in range(20)], FRAMES[:20])


def test_a_damaged_payload_is_asked_for_again(stream):
    message = pack(stream.info.scan_id, 3, 4, FRAMES[4:8])
    payload = bytearray(message.payload)
    payload[77] ^= 4
    (refused,) = stream.take_frames(message.model_copy(update={"payload": bytes(payload)}), 0.1)
    assert refused.code is RefusalCode.BAD_CRC
    assert refused.resend == ((4, 8),)
    assert not refused.final
    assert stream.counters.frames_invalid == 4
    assert stream.finish_reason is None


def test_a_sender_that_ignores_its_credit_loses_nothing(stream, session):
    session.is_held = True
    frames = make_frames(35)
    for _ in range(2):
        send(stream, 0, 32, frames=frames)
    stream.sequence.seen = type(stream.sequence.seen)()  # the ring is nearly full, the frames are new again
    send(stream, 0, 32, frames=frames)
    (refused,) = send(stream, 0, 32, frames=frames)
    assert refused.code is RefusalCode.NO_CREDIT


def test_a_sender_that_lies_about_its_shape_or_count_is_refused_and_what_came_is_kept(stream, session):
    send(stream, 0, 10)
    message = pack(stream.info.scan_id, 3, 10, make_frames(2, (24, 31)))
    (refused,) = stream.take_frames(message, 0.2)
    assert refused.final
    assert "announced 24x32 float32" in refused.reason
    assert stream.finish_reason is FinishReason.FAILED
    assert session.ring.is_closed
    session.take()
    assert len(session.frames) == 10


def test_frames_past_the_announced_end_are_said_once_and_left_out_and_the_scan_completes(stream, session):
    frames = make_frames(45)
    send(stream, 0, 30, frames=frames)
    (refused,) = send(stream, 30, 40, frames=frames)
    assert "Frame 39 was sent, the start message announced 35 frames" in refused.reason
    assert not refused.final
    assert send(stream, 40, 45, frames=frames) == []
    assert end(stream, frames_sent=45) == []
    session.take()
    assert len(session.frames) == 35
    assert stream.counters.frames_invalid == 10
    assert (stream.finish_reason, stream.counters.frames_missing) == (FinishReason.COMPLETED, 0)


def test_while_frames_come_those_overtaken_are_shown_as_missing(stream):
    send(stream, 10, 20)
    assert stream.counted().frames_missing == 10
    send(stream, 0, 10)
    assert stream.counted().frames_missing == 0


def test_credit_is_never_more_than_a_lagging_live_view_can_stand_in_the_way_of():
    session = MemorySession(scan_info(n_frames=35), n_slots=16)
    live = session.ring.add_reader("live", ReaderPolicy.SKIP)
    stream = ScanStream(session.info, session, now=0.0)
    for first in range(0, 16, 4):
        send(stream, first, first + 4)
        session.take()
    granted = stream.started(0, 0.0).credit
    assert granted == 4
    held = live.borrow(4, 0.0)  # the worst it can do: the oldest that it may still have
    assert held is not None
    assert send(stream, 16, 16 + granted) == []
    assert stream.started(0, 0.0).credit == 0
    live.release(held)
    assert stream.started(0, 0.0).credit == 4


def test_missing_frames_are_asked_for_a_few_times_and_then_counted(stream):
    send(stream, 0, 30)
    (refused,) = end(stream)
    assert refused.code is RefusalCode.INCOMPLETE
    assert refused.resend == ((30, 35),)
    for _ in range(MAX_ASKS - 1):  # ends that crossed the request
        assert end(stream)[0].resend == ((30, 35),)
    assert end(stream) == []
    assert stream.finish_reason is FinishReason.COMPLETED
    assert stream.counters.frames_missing == 5


def test_every_gap_is_asked_for_also_where_there_are_thousands():
    n = 64 * 64
    session = MemorySession(scan_info(scan_shape=(64, 64), detector_shape=(2, 2), n_frames=n), n_slots=n)
    stream = ScanStream(session.info, session, now=0.0)
    frames = make_frames(1, (2, 2))
    for first in range(0, n, 2):  # the others were dropped by the sender
        if first != 4000:  # lost on the way
            send(stream, first, first + 1, frames=np.broadcast_to(frames, (n, 2, 2)))
    asked = end(stream, frames_sent=n // 2, dropped=n // 2)
    assert all(len(refused.resend) <= 1024 for refused in asked)
    wanted = [index for refused in asked for start, stop in refused.resend for index in range(start, stop)]
    assert len(wanted) == n // 2 + 1
    assert 4000 in wanted


def test_what_failed_at_the_last_moment_is_not_called_durable(stream, session):
    send(stream, 0, 10)
    end(stream, EndReason.ABORTED)

    def fails_while_it_drains():
        session.error = RecordingError("The disk is full.")
        return True

    session.drained = fails_while_it_drains
    (refused,) = stream.tick(1.0)
    assert refused.code is RefusalCode.FAILED


def test_credit_comes_back_at_once_where_everything_is_written_but_not_durable(stream, session):
    session.is_held = True
    assert stream.tick(1.0)[0].seq_seen == 0
    stream.heard(5, 1.05)
    (ack,) = stream.tick(1.1)
    assert ack.seq_seen == 5


def test_frames_dropped_by_the_sender_stay_gaps(stream):
    send(stream, 0, 30)
    assert end(stream, frames_sent=30, dropped=5) == []
    assert stream.counters.frames_dropped_by_sender == 5
    assert stream.counters.frames_missing == 5


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(EndReason.ABORTED, FinishReason.STOPPED), (EndReason.ERROR, FinishReason.FAILED)],
)
def test_other_ends_are_not_called_complete(stream, reason, expected):
    assert end(stream, reason, 0) == []
    assert stream.finish_reason is expected


def test_flyback_and_discarded_frames_have_counters_of_their_own(stream, session):
    send(stream, 0, 5, flags=(FrameFlag.FLYBACK,))
    send(stream, 5, 9, flags=(FrameFlag.DISCARD,))
    session.take()
    assert session.frames == {}
    assert (stream.counters.frames_flyback, stream.counters.frames_discarded) == (5, 4)


def test_a_silent_sender_stalls_and_is_then_lost(stream, session):
    send(stream, 0, 10, now=0.0)
    assert not stream.stalled(1.9)
    stream.heard(2, 2.0)  # a heartbeat
    assert stream.stalled(2.1)
    for now in np.arange(2.0, 2.0 + LOST_AFTER_S, 0.1):
        assert all(isinstance(reply, Ack) for reply in stream.tick(now))
    (refused,) = stream.tick(2.1 + LOST_AFTER_S)
    assert refused.code is RefusalCode.LOST
    assert "10 frames had arrived and are kept" in refused.reason
    assert stream.finish_reason is FinishReason.STREAM_LOST
    assert session.ring.is_closed


def test_an_engine_that_stood_still_itself_listens_before_it_calls_the_sender_lost(stream):
    send(stream, 0, 10, now=0.0)
    stream.tick(0.1)
    resumed = 100.0
    assert all(isinstance(reply, Ack) for reply in stream.tick(resumed))
    stream.heard(2, resumed + 0.02)  # what had come meanwhile
    for now in np.arange(resumed + 0.04, resumed + LOST_AFTER_S, 0.1):
        stream.tick(now)
    assert stream.finish_reason is None


def test_a_lost_sender_may_go_on_and_is_told_what_is_here():
    earlier = Earlier(IntervalSet([(0, 10)]), FrameCounters(frames_received=10, frames_late=3))
    session = MemorySession(scan_info(), earlier=earlier)
    stream = ScanStream(session.info, session, now=0.0)
    assert stream.started(7, 0.0).stored == ((0, 10),)
    assert stream.started(7, 0.0).seq_seen == 7
    send(stream, 5, 35, seq=8)
    assert end(stream, frames_sent=35) == []
    counters = stream.counted()
    assert (counters.frames_received, counters.frames_repeated, counters.frames_late) == (35, 5, 3)
    assert (stream.finish_reason, counters.frames_missing) == (FinishReason.COMPLETED, 0)


def test_a_scan_of_unknown_length_misses_only_what_was_sent():
    session = MemorySession(scan_info(open_ended=True))
    stream = ScanStream(session.info, session, now=0.0)
    send(stream, 0, 12)
    (refused,) = end(stream, frames_sent=14)
    assert refused.resend == ((12, 14),)
    for _ in range(MAX_ASKS):
        end(stream, frames_sent=14)
    assert stream.finish_reason is FinishReason.COMPLETED
    assert stream.counted().frames_missing == 2


def test_a_failure_of_the_recording_reaches_the_sender(stream, session):
    session.error = RecordingError("The disk is full. Free some space. 3 frames are stored.")
    (refused,) = stream.tick(0.2)
    assert refused.final
    assert refused.code is RefusalCode.FAILED
    assert "The disk is full" in refused.reason
    assert stream.finish_reason is FinishReason.FAILED
