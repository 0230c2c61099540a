"""A detector bridge in one file, with pyzmq alone: an example to write your own from. Its text: docs/protocol.md.

FILE has raw little-endian float32 frames and plays the detector. With --rate it delivers whether anybody wants the
frames or not; without, as fast as they can be kept. A frame is kept until the engine has acknowledged it.
Exit codes: 0 completed, 2 bad arguments, 3 refused, 7 the engine ended the scan otherwise, 9 no engine.
"""

import argparse
import json
import os
import sys
import time
import uuid
import zlib
from collections import deque

import zmq

BATCH, HOLD_S, POLL_MS = 16, 0.035, 10  # frames of a message; a frame waits at most 50 ms for others
SILENT_S, START_AGAIN_S, END_AGAIN_S, HEARTBEAT_S = 5.0, 1.0, 2.0, 1.0


def detector(path, frame_bytes, n_frames, rate):
    """Yield frame after frame; None where the next one is not there yet."""
    begin = time.monotonic()
    with open(path, "rb") as file:
        for index in range(n_frames):
            while rate and time.monotonic() < begin + index / rate:
                yield None
            yield file.read(frame_bytes)


def say(text):
    """Tell the operator."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class Sender:
    """Sends one scan. `kept`: frames not acknowledged, by index; `todo`: indices to send; `flight`: under way."""

    def __init__(self, endpoint, scan_id, start, frames, is_paced, keep, wait_s):
        self.endpoint, self.scan_id, self.start, self.n_frames = endpoint, scan_id, start, start["n_frames"]
        self.detector, self.is_paced, self.keep, self.wait_s = frames, is_paced, keep, wait_s
        self.kept, self.todo, self.flight = {}, deque(), deque()
        self.stored, self.at_engine = set(), set()  # of the last ready; all that were sent or stored
        self.seq = self.credit = self.n_read = self.n_dropped = self.below = self.n_safe = 0
        self.is_dropping, self.exit_code, self.socket = False, None, None
        self.heard = time.monotonic()
        self.routing_id = b"S" + os.urandom(15)  # the same for all connections; a first byte 0 is reserved
        self.connect()

    def connect(self):
        """Open a socket in place of the old one, what that had queued is thrown away; start is to be sent (again)."""
        if self.socket is not None:
            self.socket.close()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, self.routing_id)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is queued for an engine that is away
        self.socket.setsockopt(zmq.CONNECT_TIMEOUT, 2000)
        self.socket.connect(self.endpoint)
        self.is_ready, self.next_start = False, 0.0

    def send(self, kind, fields, *payload):
        """Send a message; whether it went."""
        header = {"type": kind, "version": 1, "scan_id": self.scan_id, "seq": self.seq, **fields}
        try:
            self.socket.send_multipart([json.dumps(header).encode(), *payload], zmq.NOBLOCK)
        except zmq.Again:
            return False
        self.seq += 1
        return True

    def run(self):
        """Send the scan; the exit code."""
        next_heartbeat = 0.0
        while self.exit_code is None:
            self.collect()
            has_sent, now = self.is_ready and self.send_frames(), time.monotonic()
            if not self.is_ready and now >= self.next_start and self.send("start", self.start):
                self.next_start = now + START_AGAIN_S
            if self.is_ready and now >= next_heartbeat and self.send("heartbeat", {}):
                next_heartbeat = now + HEARTBEAT_S
            if self.is_ready and self.n_read == self.n_frames and not self.todo and now >= self.next_end:
                counts = {"frames_sent": len(self.at_engine), "frames_dropped_by_sender": self.n_dropped}
                if self.send("end", {"reason": "complete", **counts}):
                    self.next_end = now + END_AGAIN_S  # until it is acknowledged
            if self.is_ready and now - self.heard > SILENT_S:
                say(f"The engine is silent. {self.n_safe} frames are acknowledged and safe there.")
                self.connect()
            if not self.is_ready and now - self.heard > self.wait_s:
                say(f"No engine answers: given up. {self.n_safe} frames are acknowledged and safe there.")
                return 9
            self.hear(0 if has_sent else POLL_MS)
        return self.exit_code

    def collect(self):
        """Take what the detector has. A full buffer loses what comes, until half of it is free again."""
        for _ in range(1000):
            if not self.is_paced and (len(self.kept) >= self.keep or len(self.todo) >= BATCH):
                return  # a file can wait
            if (frame := next(self.detector, None)) is None:
                return
            index, self.n_read = self.n_read, self.n_read + 1
            if index < self.below:
                continue  # safe at the engine since an earlier run of this program
            was_dropping = self.is_dropping
            self.is_dropping = len(self.kept) > (self.keep // 2 if was_dropping else self.keep - 1)
            if self.is_dropping:
                self.n_dropped += index not in self.stored
                if not was_dropping:
                    say(f"The buffer of {self.keep} frames is full: frames from {index} on are dropped.")
                continue
            self.kept[index] = (time.monotonic(), frame)
            if index not in self.stored:
                self.todo.append(index)

    def send_frames(self):
        """Send one batch of consecutive frames, as far as credit allows; whether one went."""
        while self.todo and self.todo[0] not in self.kept:
            self.todo.popleft()  # wanted again, and acknowledged before it went
        limit = min(BATCH, len(self.todo), self.credit - sum(stop - first for _, first, stop in self.flight))
        if limit < 1:
            return False
        first, count, now = self.todo[0], 1, time.monotonic()
        while count < limit and self.todo[count] == first + count and first + count in self.kept:
            count += 1
        is_growing = count == len(self.todo) < BATCH and first + count == self.n_read < self.n_frames
        if is_growing and now - self.kept[first][0] < HOLD_S:
            return False
        payload = b"".join(self.kept[index][1] for index in range(first, first + count))
        crc = zlib.crc32(payload)
        fields = {"first_frame": first, "count": count, "timestamp_s": self.kept[first][0], "crc32": crc}
        text = f"{self.scan_id} {self.seq} {first} {count} {crc}"  # flags would follow, parted by spaces
        if not self.send("frames", {**fields, "header_crc32": zlib.crc32(text.encode())}, payload):
            return False
        self.flight.append((self.seq - 1, first, first + count))
        for _ in range(count):
            self.at_engine.add(self.todo.popleft())
        return True

    def hear(self, wait_ms):
        """Take all messages that are there."""
        while self.exit_code is None and self.socket.poll(wait_ms):
            message, wait_ms, self.heard = json.loads(self.socket.recv_multipart()[0]), 0, time.monotonic()
            if message["type"] == "ready" and not self.is_ready:
                self.is_ready, self.next_end = True, 0.0
                self.stored = {index for pair in message["stored"] for index in range(*pair)}
                self.at_engine |= self.stored
                # Stored is not yet acknowledged: those frames are not sent, but kept.
                self.todo = deque(index for index in self.kept if index not in self.stored)
                self.flight.clear()
            if message["type"] == "ack":
                self.discard([(0, message["below"]), *message["ranges"]])
                if message["end"]:
                    say(f"{message['finish_reason']}: {self.n_safe} frames safe, {self.n_dropped} dropped.")
                    self.exit_code = 0 if message["finish_reason"] == "COMPLETED" else 7
            if message["type"] in ("ready", "ack") and self.is_ready:
                self.credit = message["credit"]
                while self.flight and self.flight[0][0] <= message["seq_seen"]:
                    self.flight.popleft()
            if message["type"] == "refused":
                self.take_refusal(message)

    def discard(self, ranges):
        """Forget frames that are acknowledged."""
        self.below, self.n_safe = ranges[0][1], sum(stop - first for first, stop in ranges)
        oldest = next(iter(self.kept), self.n_read)
        for first, stop in ranges:
            for index in range(max(first, oldest), min(stop, self.n_read)):
                self.kept.pop(index, None)

    def take_refusal(self, refused):
        """Start again, send again or give up, as the engine says."""
        if refused["final"] and refused.get("resume", False):
            if self.is_ready:  # otherwise: of a message before start, which is on its way
                say(refused["reason"])
                self.connect()
        elif refused["final"]:
            say(f"Refused ({refused['code']}): {refused['reason']}")
            self.exit_code = 3
        elif refused["code"] == "busy":
            self.next_start = time.monotonic() + START_AGAIN_S / 2
        elif refused["resend"]:
            wanted = {index for pair in refused["resend"] for index in range(*pair) if index in self.kept}
            for seq, first, stop in self.flight:
                if seq > refused["seq_seen"]:
                    wanted.difference_update(range(first, stop))  # on their way again already
            self.todo, self.next_end = deque(sorted(wanted.union(self.todo))), 0.0


def main():
    """Read the arguments; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint", help="of the engine, tcp://HOST:PORT")
    parser.add_argument("scan_y", type=int)
    parser.add_argument("scan_x", type=int)
    parser.add_argument("file")
    parser.add_argument("--detector", default="128x128", help="YxX")
    parser.add_argument("--scan-id", default=str(uuid.uuid4()), help="of a scan that is to be continued")
    parser.add_argument("--rate", type=float, default=0.0, help="frames a second")
    parser.add_argument("--keep", type=int, default=4096, help="most frames kept that are not acknowledged")
    parser.add_argument(
        "--wait", type=float, default=60.0, help="seconds an engine that is away is waited for"
    )
    args = parser.parse_args()
    det_y, det_x = map(int, args.detector.split("x"))
    n_frames, frame_bytes = args.scan_y * args.scan_x, det_y * det_x * 4
    if not os.path.isfile(args.file) or os.path.getsize(args.file) < n_frames * frame_bytes:
        parser.error(f"{args.file} does not have {n_frames} frames of {frame_bytes} bytes")
    shape = {"scan_shape": [args.scan_y, args.scan_x], "detector_shape": [det_y, det_x], "dtype": "float32"}
    start = {**shape, "n_frames": n_frames, "software": "example sender.py"}
    if args.rate:
        start["dwell_s"] = 1 / args.rate
    frames = detector(args.file, frame_bytes, n_frames, args.rate)
    sender = Sender(args.endpoint, args.scan_id, start, frames, args.rate > 0, args.keep, args.wait)
    code = sender.run()
    sender.socket.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
