import numpy as np
import pytest

from streamer.kernels import empad_g2
from streamer.kernels.empad_g2 import WordMaps
from tests import naive
from tests.interpreted import interpret

N_PIXELS = (
    1200  # pieces of the kernel are larger: one that is not whole, and an odd share of the unrolled loops
)


def made(n=6, n_pixels=N_PIXELS, seed=0):
    """Maps, and words about the dark with electrons on some pixels, and low gain where there are many."""
    rng = np.random.default_rng(seed)

    def spread(mean, std):
        return rng.normal(mean, std, (2, n_pixels)).astype(np.float32)

    maps = WordMaps(
        spread(7850, 20),
        spread(-145000, 500),
        spread(18.5, 0.3),
        spread(1.6e-4, 1e-5),
        spread(1e5, 3e3),
        spread(1, 0.05),
    )
    bounce = rng.normal(0, 16, (n, 1))
    analog = np.clip(
        rng.normal(7850, 40, (n, n_pixels)) + bounce + 2500 * rng.poisson(0.3, (n, n_pixels)), 0, 16383
    )
    is_low = rng.random((n, n_pixels)) < 0.1
    is_low[:, : n_pixels // 2] = False
    removals = np.where(is_low, rng.integers(0, 60, (n, n_pixels)), 0)
    words = analog.astype(np.uint32) | removals.astype(np.uint32) << np.uint32(14) | np.uint32(1 << 30)
    return maps, words | np.where(is_low, np.uint32(1 << 31), np.uint32(0))


def decoded(maps, words, parity, debounce):
    out = np.empty(words.shape, np.float32)
    empad_g2.decode_words(words, parity, maps, debounce, np.empty(words.shape[1] // 2, np.uint16), out)
    return out


@pytest.mark.parametrize("debounce", [False, True])
@pytest.mark.parametrize("compiled", [True, False])
def test_words_become_the_counts_of_the_formula(monkeypatch, compiled, debounce):
    if not compiled:
        interpret(monkeypatch, empad_g2)
    n = 6 if compiled else 2
    maps, words = made(n)
    parity = np.arange(n) % 2
    found = decoded(maps, words, parity, debounce)
    expected = [naive.decode_word_frame(w, maps, p, debounce) for w, p in zip(words, parity, strict=True)]
    # float32 of counts up to some million; the bounce depends on few pixels that lie on the edge of a bin.
    np.testing.assert_allclose(found, np.array(expected), rtol=3e-6, atol=0.3)


def test_a_large_frame_in_pieces_is_the_same():
    maps, words = made(2, 3 * 2048 + 100)
    expected = [naive.decode_word_frame(words[i], maps, i, True) for i in (0, 1)]
    np.testing.assert_allclose(
        decoded(maps, words, np.arange(2), True), np.array(expected), rtol=3e-6, atol=0.3
    )


def test_the_bounce_of_a_frame_is_taken_away():
    plain = WordMaps(
        *(np.zeros((2, N_PIXELS), np.float32) for _ in range(5)), np.ones((2, N_PIXELS), np.float32)
    )
    rng = np.random.default_rng(3)
    for bounce in (-37.0, 0.0, 120.0):
        words = np.rint(rng.normal(8000 + bounce, 40, (1, N_PIXELS))).astype(np.uint32)
        pedestal = plain._replace(pedestal=np.full((2, N_PIXELS), 8000, np.float32))
        assert abs(np.median(decoded(pedestal, words, np.zeros(1, np.int64), True))) < 6.0


@pytest.mark.parametrize(
    "counts", [np.full(1200, 5000.0), np.linspace(-1e4, 1e4, 1200), np.full(1200, 214.0), np.full(30, 0.0)]
)
def test_without_a_clear_peak_nothing_is_taken_away(counts):
    maps = WordMaps(
        *(np.zeros((2, len(counts)), np.float32) for _ in range(5)), np.ones((2, len(counts)), np.float32)
    )
    words = np.zeros((1, len(counts)), np.uint32)
    maps = maps._replace(pedestal=np.stack([-counts, -counts]).astype(np.float32))
    np.testing.assert_array_equal(
        decoded(maps, words, np.zeros(1, np.int64), True)[0], counts.astype(np.float32)
    )
