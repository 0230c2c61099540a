"""A detector's software that writes a RAW file, as a process of its own.

``python tests/writer.py PATH N RATE [prealloc] [clock] [hold:AT] [half:AT]``; frame i is i + 1 throughout,
with noise of its own in one row. Ends by itself; "hold" pauses before a frame until a line comes on stdin,
"half" stops in the middle of a record and waits to be killed, "clock" says the time before the first byte.
"""

import sys
import time

import numpy as np


def record(index):
    frame = np.zeros((130, 128), "<f4")
    frame[:128] = index + 1
    frame[5] += np.random.default_rng(index).random(128, dtype=np.float32)
    return frame.tobytes()


def main():
    path, n, rate, *wishes = sys.argv[1:]
    n, rate = int(n), float(rate)
    said = {name: rest for name, *rest in (wish.split(":") for wish in wishes)}
    mode = "r+b" if "prealloc" in said else "wb"
    if "prealloc" in said:
        with open(path, "wb") as file:
            file.truncate(n * 66560)
    if "clock" in said:
        print(time.time(), flush=True)
    begin = time.monotonic()
    with open(path, mode, buffering=0) as file:
        for index in range(n):
            data = record(index)
            if "half" in said and index == int(said["half"][0]):
                file.write(data[:33000])
                print("half", flush=True)
                sys.stdin.read()
            if "hold" in said and index == int(said["hold"][0]):
                held_s = time.monotonic()
                sys.stdin.readline()
                begin += time.monotonic() - held_s
            file.write(data)
            time.sleep(max(0.0, begin + (index + 1) / rate - time.monotonic()))


if __name__ == "__main__":
    main()
