"""A detector bridge with pyzmq alone: an example to write your own from. Its text is docs/protocol.md, part 1.

FILE has raw little-endian float32 frames and plays the detector. With --rate it delivers whether anybody wants the
frames or not; without, as fast as they can be kept. A frame is kept until the engine has acknowledged it.
An engine with keys wants three more socket options (docs/security.md), set before the socket connects.
Exit codes: 0 completed, 2 bad arguments, 3 refused, 7 the engine ended the scan otherwise, 9 no engine.
"""

import argparse
import json
import os
import sys
import time
import uuid
import zlib

import zmq

BATCH, HOLD_S, POLL_MS = 16, 0.035, 10  # frames of a message; a frame waits at most 50 ms for others
HEARTBEAT_S, START_AGAIN_S, END_AGAIN_S, SILENT_S = 1.0, 1.0, 2.0, 5.0


def detector(path, frame_bytes, n_frames, rate):
    """Yield frame after frame; None where the next one is not there yet."""
    begin = time.monotonic()
    with open(path, "rb") as file:
        for index in range(n_frames):
            while rate and time.monotonic() < begin + index / rate:
                yield None
            yield file.read(frame_bytes)


class Sender:
    """Sends one scan; `frames` is the detector, `start` the fields of the start message."""

    def __init__(self, args, start, frames):
        self.args, self.start, self.frames, self.n_frames = args, start, frames, start["n_frames"]
        self.kept, self.due, self.flight = {}, set(), []  # index: (when, frame); indices; (seq, first, stop)
        self.stored, self.at_engine = set(), set()  # said by the last ready; and with all that was sent
        self.seq = self.credit = self.n_read = self.n_dropped = self.n_safe = 0
        self.is_dropping, self.exit_code, self.socket, self.heard = False, None, None, time.monotonic()
        self.routing_id = b"S" + os.urandom(15)  # of all connections; ids that begin with 0 are ZeroMQ's own
        self.connect()

    def connect(self):
        """Open a socket in place of the old one, with what was queued there; start is to be sent (again)."""
        if self.socket is not None:
            self.socket.close()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, self.routing_id)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is queued for an engine that is away
        self.socket.connect(self.args.endpoint)
        self.is_ready, self.next_start, self.next_heartbeat, self.next_end = False, 0.0, 0.0, 0.0

    def say(self, text):
        """Tell the operator."""
        print(f"{text} {self.n_safe} frames are acknowledged and safe.", file=sys.stderr, flush=True)  # noqa: T201

    def send(self, kind, fields, *payload):
        """Send a message; whether it went: not where the engine is away or does not read."""
        header = {"type": kind, "version": 1, "scan_id": self.args.scan_id, "seq": self.seq, **fields}
        try:
            self.socket.send_multipart([json.dumps(header).encode(), *payload], zmq.NOBLOCK)
        except zmq.Again:
            return False
        self.seq += 1
        return True

    def run(self):
        """Send the scan; the exit code."""
        while self.exit_code is None:
            self.collect()
            has_sent, now = self.is_ready and self.send_frames(), time.monotonic()
            if not self.is_ready and now >= self.next_start and self.send("start", self.start):
                self.next_start = now + START_AGAIN_S
            if self.is_ready and now >= self.next_heartbeat and self.send("heartbeat", {}):
                self.next_heartbeat = now + HEARTBEAT_S
            if self.is_ready and self.n_read == self.n_frames and not self.due and now >= self.next_end:
                counts = {"frames_sent": len(self.at_engine), "frames_dropped_by_sender": self.n_dropped}
                if self.send("end", {"reason": "complete", **counts}):
                    self.next_end = now + END_AGAIN_S  # until it is acknowledged
            if self.is_ready and now - self.heard > SILENT_S:
                self.say("The engine is silent, and waited for.")
                self.connect()
            if not self.is_ready and now - self.heard > self.args.wait:
                self.say("No engine answers: given up.")
                self.exit_code = 9
            self.hear(0 if has_sent else POLL_MS)
        self.socket.close()
        return self.exit_code

    def collect(self):
        """Take what the detector has. A full buffer loses what comes, until half of it is free again."""
        for _ in range(1000):
            is_full = len(self.kept) >= (self.args.keep // 2 + 1 if self.is_dropping else self.args.keep)
            if not self.args.rate and (is_full or len(self.due) >= BATCH):
                return  # a file can wait
            if (frame := next(self.frames, None)) is None:
                return
            index, self.n_read = self.n_read, self.n_read + 1
            if is_full:
                self.n_dropped += index not in self.stored
                if not self.is_dropping:
                    self.say(f"The buffer of {self.args.keep} is full: frames from {index} on are dropped.")
            else:
                self.kept[index] = (time.monotonic(), frame)
                if index not in self.stored:
                    self.due.add(index)
            self.is_dropping = is_full

    def send_frames(self):
        """Send consecutive frames, as many as credit allows; whether some went."""
        room = min(BATCH, self.credit - sum(stop - first for _, first, stop in self.flight))
        if room < 1 or not self.due:
            return False
        first, now = min(self.due), time.monotonic()
        stop = first + 1
        while stop < first + room and stop in self.due:
            stop += 1
        if stop == self.n_read < min(first + room, self.n_frames) and now - self.kept[first][0] < HOLD_S:
            return False  # the next ones may come in time for the same message
        payload = b"".join(self.kept[index][1] for index in range(first, stop))
        crc = zlib.crc32(payload)
        place = {"first_frame": first, "count": stop - first, "timestamp_s": self.kept[first][0]}
        protected = f"{self.args.scan_id} {self.seq} {first} {stop - first} {crc}"  # flags would follow
        crcs = {"crc32": crc, "header_crc32": zlib.crc32(protected.encode())}
        if not self.send("frames", {**place, **crcs}, payload):
            return False
        self.flight.append((self.seq - 1, first, stop))
        self.at_engine.update(range(first, stop))
        self.due.difference_update(range(first, stop))
        return True

    def hear(self, wait_ms):
        """Take all messages that are there."""
        while self.exit_code is None and self.socket.poll(wait_ms):
            message, wait_ms, self.heard = json.loads(self.socket.recv_multipart()[0]), 0, time.monotonic()
            kind = message["type"]
            if kind == "ready" and not self.is_ready:
                self.is_ready, self.flight = True, []
                self.stored = {index for pair in message["stored"] for index in range(*pair)}
                self.at_engine |= self.stored
                self.due = (
                    self.kept.keys() - self.stored
                )  # what is stored is kept still: not yet acknowledged
            if kind == "ack":
                self.discard([(0, message["below"]), *message["ranges"]])
            if kind in {"ready", "ack"}:
                self.credit = message["credit"]
                self.flight = [sent for sent in self.flight if sent[0] > message["seq_seen"]]
            if kind == "ack" and message["end"]:
                self.say(f"{message['finish_reason']}, {self.n_dropped} frames were dropped.")
                self.exit_code = 0 if message["finish_reason"] == "COMPLETED" else 7
            if kind == "refused":
                self.take_refusal(message)

    def discard(self, acknowledged):
        """Forget frames that are safe."""
        self.n_safe = sum(stop - first for first, stop in acknowledged)
        oldest = min(self.kept, default=self.n_read)
        for first, stop in acknowledged:
            for index in range(max(first, oldest), min(stop, self.n_read)):
                self.kept.pop(index, None)
                self.due.discard(index)

    def take_refusal(self, refused):
        """Start again, send again or give up, as the engine says."""
        if refused["final"] and refused.get("resume"):
            if self.is_ready:  # otherwise it answers what went before the start message that is on its way
                self.say(refused["reason"])
                self.connect()
        elif refused["final"]:
            self.say(f"Refused ({refused['code']}): {refused['reason']}")
            self.exit_code = 3
        elif refused["code"] == "busy":
            self.next_start = time.monotonic() + START_AGAIN_S / 2
        elif refused["resend"]:
            on_the_way = [range(first, stop) for seq, first, stop in self.flight if seq > refused["seq_seen"]]
            wanted = self.kept.keys() & {index for pair in refused["resend"] for index in range(*pair)}
            self.due |= wanted.difference(*on_the_way)
            self.next_end = 0.0


def main():
    """Read the arguments; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint", help="of the engine, tcp://HOST:PORT")
    parser.add_argument("scan", type=int, nargs=2, metavar=("SCAN_Y", "SCAN_X"))
    parser.add_argument("file")
    parser.add_argument("--detector", default="128x128", help="YxX")
    parser.add_argument("--scan-id", default=str(uuid.uuid4()), help="of a scan that is continued")
    parser.add_argument("--rate", type=float, help="frames a second")
    parser.add_argument("--keep", type=int, default=4096, help="most frames that are kept")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds that an engine is waited for")
    args = parser.parse_args()
    shape = [int(side) for side in args.detector.split("x")]
    n_frames, frame_bytes = args.scan[0] * args.scan[1], shape[0] * shape[1] * 4
    if not os.path.isfile(args.file) or os.path.getsize(args.file) < n_frames * frame_bytes:
        parser.error(f"{args.file} does not have {n_frames} frames of {frame_bytes} bytes")
    start = {"scan_shape": args.scan, "detector_shape": shape, "dtype": "float32", "n_frames": n_frames}
    start.update({"software": "example sender.py"}, **({"dwell_s": 1 / args.rate} if args.rate else {}))
    return Sender(args, start, detector(args.file, frame_bytes, n_frames, args.rate)).run()


if __name__ == "__main__":
    sys.exit(main())
