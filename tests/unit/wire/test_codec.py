import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import WireError
from streamer.model import Calibration, ScanOrder
from streamer.wire import codec, control
from streamer.wire.messages import Ack, End, EndReason, Heartbeat, Ready, RefusalCode, Refused, Start
from tests.fakes import make_frames, scan_info

INFO = scan_info(
    order=ScanOrder.SERPENTINE,
    dwell_s=1e-3,
    skip_per_line=2,
    calibration=Calibration(80e3, 0.6, 0.52, (3.0, 2.0), "nominal"),
    metadata={"operator": "x"},
)
MESSAGES = [
    Start.of_scan(INFO),
    Ready(scan_id=INFO.scan_id, seq=1, credit=64, seq_seen=0, stored=((0, 5), (9, 12))),
    codec.make_frames(INFO.scan_id, 3, 4, make_frames(6), 1.5),
    Ack(
        scan_id=INFO.scan_id,
        seq=2,
        below=7,
        ranges=((9, 12),),
        credit=3,
        seq_seen=5,
        end=True,
        finish_reason="COMPLETED",
    ),
    Heartbeat(scan_id=INFO.scan_id, seq=9),
    End(scan_id=INFO.scan_id, seq=4, reason=EndReason.COMPLETE, frames_sent=35),
    Refused(scan_id=INFO.scan_id, seq=4, code=RefusalCode.BUSY, reason="Another sender.", final=True),
]
IDS = [message.type for message in MESSAGES]


@pytest.mark.parametrize("message", MESSAGES, ids=IDS)
def test_every_message_comes_back_as_it_was_sent(message):
    parts = [bytes(part) for part in codec.encode(message)]
    again = codec.decode(parts)
    assert type(again) is type(message)
    assert again.model_dump(exclude={"payload"}) == message.model_dump(exclude={"payload"})


def test_start_carries_the_whole_description_of_a_scan():
    again = codec.decode([bytes(part) for part in codec.encode(Start.of_scan(INFO))])
    assert again.scan_info() == INFO


def test_frames_are_unpacked_as_views_without_their_footer():
    info = scan_info(footer_rows=2)
    frames = make_frames(6, (26, 32))
    message = codec.decode(
        [bytes(part) for part in codec.encode(codec.make_frames(info.scan_id, 0, 0, frames))]
    )
    unpacked = codec.unpack_frames(message, info)
    np.testing.assert_array_equal(unpacked, frames[:, :24])
    assert not unpacked.flags.writeable


def test_a_damaged_payload_and_a_wrong_length_are_told_apart():
    parts = [bytearray(part) for part in codec.encode(codec.make_frames(INFO.scan_id, 0, 0, make_frames(2)))]
    parts[1][100] ^= 1
    with pytest.raises(codec.CrcError, match=r"Frames 0 to 1 arrived damaged"):
        codec.unpack_frames(codec.decode(parts), INFO)
    with pytest.raises(WireError, match=r"has 6143 bytes"):
        codec.unpack_frames(codec.decode([parts[0], parts[1][:-1]]), INFO)


def test_another_version_is_named():
    header = bytes(codec.encode(Heartbeat(scan_id=INFO.scan_id))[0]).replace(b'"version":1', b'"version":2')
    with pytest.raises(codec.VersionError, match=r"version 2\. This side speaks version 1"):
        codec.decode([header])


@pytest.mark.parametrize(
    "change",
    [{"scan_shape": [0, 5]}, {"scan_shape": [70000, 5]}, {"detector_shape": [5000, 5]}, {"dtype": "object"},
     {"n_frames": 10**12}, {"footer_rows": 9}, {"scan_id": "../../etc"}],
)  # fmt: skip
def test_bounds_are_checked_before_anything_is_allocated(change):
    import json

    header = json.loads(bytes(codec.encode(Start.of_scan(INFO))[0])) | change
    with pytest.raises(WireError):
        codec.decode([json.dumps(header).encode()])


@given(st.integers(0, len(MESSAGES) - 1), st.data())
@settings(max_examples=300)
def test_mutated_bytes_raise_wire_errors_and_nothing_else(which, data):
    parts = [bytearray(bytes(part)) for part in codec.encode(MESSAGES[which])]
    for _ in range(data.draw(st.integers(1, 8))):
        part = parts[data.draw(st.integers(0, len(parts) - 1))]
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = codec.decode([bytes(part) for part in parts])
        if decoded.type == "frames":
            codec.unpack_frames(decoded, INFO)
    except WireError:
        return


ARRAYS = st.sampled_from(
    [np.arange(6, dtype=np.int32).reshape(2, 3), np.zeros((0, 4), np.float32), np.array([True])]
)


@given(ARRAYS, st.integers(0, 10**9))
def test_control_messages_come_back(values, version):
    sent = control.ControlMessage(
        {"type": "reply", "id": 3}, (control.NamedArray("a", values, version, {"ids": [1]}),)
    )
    again = control.decode([bytes(frame) for frame in control.encode(sent)])
    np.testing.assert_array_equal(again.array("a"), values)
    assert again.arrays[0].version == version
    assert again.arrays[0].meta == {"ids": [1]}
    assert again.header["id"] == 3


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_control_nonsense_raises_wire_errors(header, payload):
    with pytest.raises(WireError):
        control.decode([header, payload])
