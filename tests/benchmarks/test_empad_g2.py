"""Words of an EMPAD-G2 to counts, against reading the same words from memory in the same run."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from streamer.kernels.empad_g2 import WordMaps, decode_words
from streamer.kernels.frame_pass import aligned_empty
from tests.benchmarks.measure import interleaved

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

N_FRAMES, BLOCK, N_PIXELS = 8192, 64, 128 * 128


def frames_of(share_low):
    """Words of dark frames with electrons, a share of the pixels (a disk's worth, side by side) at low gain."""
    rng = np.random.default_rng(0)
    some = rng.normal(7860, 40, (256, N_PIXELS)) + 2500 * rng.poisson(0.3, (256, N_PIXELS))
    words = np.clip(some, 0, 16383).astype(np.uint32) | np.uint32(1 << 30)
    words[:, : int(share_low * N_PIXELS)] |= np.uint32(1 << 31 | 3 << 14)
    frames = aligned_empty((N_FRAMES, N_PIXELS), np.uint32)
    for start in range(0, N_FRAMES, len(words)):
        frames[start : start + len(words)] = words
    return frames


class Decode:
    """A block at a time into the same room, as files and the live stream are decoded."""

    def __init__(self, words):
        means = (7860.0, -145000.0, 18.5, 0.0, 1.05e5, 1.0)
        self.maps = WordMaps(*(np.full((2, N_PIXELS), mean, np.float32) for mean in means))
        self.words, self.parity = words, np.arange(BLOCK) % 2
        self.pairs, self.out = np.empty(N_PIXELS // 2, np.uint16), np.empty((BLOCK, N_PIXELS), np.float32)

    def __call__(self):
        for start in range(0, len(self.words), BLOCK):
            decode_words(
                self.words[start : start + BLOCK], self.parity, self.maps, True, self.pairs, self.out
            )


@pytest.mark.parametrize("share_low", [0.0, 0.15])
def test_decoding_against_reading(share_low):
    words = frames_of(share_low)
    halves = np.split(words, 2)
    two = [Decode(half) for half in halves]
    with ThreadPoolExecutor(2) as pool:
        took = interleaved(
            {
                "sum of float32": words.view(np.float32).sum,
                "largest int32": words.view(np.int32).max,
                "decode": Decode(words),
                "largest int32, two threads": lambda: list(
                    pool.map(lambda half: half.view(np.int32).max(), halves)
                ),
                "decode, two threads": lambda: list(pool.map(lambda work: work(), two)),
            }
        )
    print(f"\nlow gain {share_low:.0%}: " + ", ".join(
        f"{name} {words.nbytes / seconds / 1e9:.1f} GB/s" for name, seconds in took.items()
    ))  # fmt: skip
    print(
        f"decoding runs at {took['sum of float32'] / took['decode']:.2f} of numpy's sum, "
        f"{took['largest int32'] / took['decode']:.2f} of its maximum, "
        f"with two threads {took['largest int32, two threads'] / took['decode, two threads']:.2f}"
    )
