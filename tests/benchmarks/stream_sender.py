"""The sending process of the stream benchmarks: ``python -m tests.benchmarks.stream_sender KIND ENDPOINT N``.

KIND is ``bare`` (PUSH, nothing but the payload) or ``ours`` (the sender of `livestem replay`). Both send the
same fresh frames from memory, 16 a message.
"""

import sys
import time
import uuid

import numpy as np
import zmq

from simulators.sender import Sender
from streamer.model import ScanInfo
from streamer.security.keys import load_client_keys

BATCH = 16
DETECTOR = (128, 128)
N_DIFFERENT = 2048
"""Frames made; they are sent again and again, far more than any cache holds."""


class FramesInMemory:
    """A scan whose frames are made already."""

    def __init__(self, n_frames, seed):
        rng = np.random.default_rng(seed)
        self.frames = rng.random((N_DIFFERENT, *DETECTOR), np.float32)
        side = n_frames // 128
        self.info = ScanInfo(str(uuid.uuid4()), (side, 128), DETECTOR, "float32", side * 128)
        self.received = np.ones(self.info.scan_shape, np.uint8)

    def read_block(self, start, stop, out):
        first = start % (N_DIFFERENT - BATCH)
        return self.frames[first : first + stop - start]


def main(kind, endpoint, n_frames, keys=None):
    scan = FramesInMemory(int(n_frames), seed=0)
    print("ready", flush=True)
    sys.stdin.readline()
    with zmq.Context() as context:
        if kind == "bare":
            seconds = send_bare(context, endpoint, scan)
        else:
            client_keys = load_client_keys(keys, "sender") if keys else None
            sender = Sender(scan, endpoint, context, batch=BATCH, keys=client_keys)
            seconds = sender.run().seconds
            sender.close()
    print(seconds, flush=True)


def send_bare(context, endpoint, scan):
    with context.socket(zmq.PUSH) as socket, context.socket(zmq.PULL) as answers:
        answers.bind("tcp://127.0.0.1:*")
        socket.connect(endpoint)
        begin = time.perf_counter()
        socket.send(answers.getsockopt(zmq.LAST_ENDPOINT))
        for start in range(0, scan.info.n_frames, BATCH):
            socket.send(scan.read_block(start, start + BATCH, None))
        answers.recv()
        return time.perf_counter() - begin


if __name__ == "__main__":
    main(*sys.argv[1:])
