"""Virtual detectors look only where they have weight, and miss nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.kernels.virtual import GAP_PIXELS, add_virtual, virtual_detectors
from tests import naive


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("n_frames", [1, 3, 4])
def test_a_tile_s_share_equals_its_twin_and_adds_to_what_is_there(compiled, n_frames):
    rng = np.random.default_rng(n_frames)
    weights = rng.normal(size=(3, 130)).astype(np.float32)
    weights[1] = 0.0
    weights[2, 20:90] = 0.0
    detectors = virtual_detectors(weights, 50)
    for tile, first in enumerate((0, 50, 100)):  # the last is not full
        tiles, rows = rng.random((4, 50)).astype(np.float32), rng.permutation(6)[:n_frames]
        found = rng.random((6, 3)).astype(np.float32)
        expected = naive.add_virtual(tiles, first, weights, rows, found)
        kernel = add_virtual if compiled else add_virtual.py_func
        kernel(tiles, first, tile, detectors, rows, found)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@given(st.data())
def test_inner_products_tile_by_tile_are_those_of_whole_patterns(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    n_pixels, tile_pixels = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 120))
    n_detectors, n_frames = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 4))
    weights = rng.normal(size=(n_detectors, n_pixels)).astype(np.float32)
    weights[rng.random(weights.shape) < data.draw(st.sampled_from([0.0, 0.3, 0.97, 1.0]))] = 0.0
    patterns = rng.integers(0, 100, (n_frames, n_pixels)).astype(np.float32)
    detectors = virtual_detectors(weights, tile_pixels)
    found = np.zeros((n_frames, n_detectors), np.float32)
    tiles, rows = np.full((4, tile_pixels), np.nan, np.float32), rng.permutation(n_frames)
    tiles[n_frames:] = 0.0
    for tile, first in enumerate(range(0, n_pixels, tile_pixels)):
        part = patterns[rows, first : first + tile_pixels]
        tiles[:n_frames, : part.shape[1]] = part
        add_virtual(tiles, first, tile, detectors, rows, found)
    np.testing.assert_allclose(found, patterns @ weights.T, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("tile_pixels", [100, 1000])
def test_spans_end_at_tiles_and_at_gaps(tile_pixels):
    weights = np.zeros((3, 400), np.float32)
    weights[0, [0, 1, 5, 5 + GAP_PIXELS, 99, 100, 399]] = 1.0
    weights[2, 150:260] = -1.0
    detectors = virtual_detectors(weights, tile_pixels)
    spans = [tuple(span) for span in detectors.spans.tolist()]
    near = 6 + GAP_PIXELS
    if tile_pixels == 1000:
        assert spans == [(0, 0, near), (0, 99, 101), (0, 399, 400), (2, 150, 260)]
        assert detectors.first_span.tolist() == [0, 4]
    else:
        assert spans[:4] == [(0, 0, near), (0, 99, 100), (0, 100, 101), (2, 150, 200)]
        assert spans[4:] == [(2, 200, 260), (0, 399, 400)]
        assert detectors.first_span.tolist() == [0, 2, 4, 5, 6]
    touched = np.zeros(weights.shape, np.bool_)
    for detector, first, last in spans:
        assert not touched[detector, first:last].any()
        touched[detector, first:last] = True
    assert touched[weights != 0].all()


def test_detectors_without_weight_have_no_span():
    nothing = virtual_detectors(np.zeros((2, 50), np.float32), 20)
    assert nothing.spans.shape == (0, 3)
    assert nothing.first_span.tolist() == [0, 0, 0, 0]
    assert virtual_detectors(np.zeros((0, 50), np.float32), 20).first_span.tolist() == [0, 0, 0, 0]
