"""Numbers as people read them, and scale bars of lengths that people can read."""

import pytest

from gui.presenters import numbers
from streamer.look.scale_bar import ImageScale, nice_length, scale_bar


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (22855, "22\u2009855"), (10**6, "1\u2009000\u2009000")]
)
def test_thousands_are_set_apart_by_a_thin_space(number, text):
    assert numbers.count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (float("nan"), "–"), (0.034, "34 ms"), (0.9996, "1.0 s"), (3.14, "3.1 s"), (9.96, "10 s"),
        (16, "16 s"), (59.6, "1 min 00 s"), (245, "4 min 05 s"), (7800, "2 h 10 min"),
    ],
)  # fmt: skip
def test_durations_have_the_unit_that_suits_them(seconds, text):
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(("share", "text"), [(0, "0 %"), (0.001, "< 1 %"), (0.43, "43 %"), (1, "100 %")])
def test_a_small_share_is_never_zero(share, text):
    assert numbers.percent(share) == text


@pytest.mark.parametrize(("size", "text"), [(None, "–"), (5, "5 B"), (812e9, "812 GB"), (4e12, "4 TB")])
def test_sizes_on_disk(size, text):
    assert numbers.data_size(None if size is None else int(size)) == text


@pytest.mark.parametrize(
    ("longest", "nice"), [(1, 1), (1.9, 1), (2, 2), (49, 20), (50, 50), (0.3, 0.2), (7e-4, 5e-4)]
)
def test_nice_lengths_are_1_2_5(longest, nice):
    assert nice_length(longest) == pytest.approx(nice)


@pytest.mark.parametrize("longest", [0, -1, float("nan"), float("inf")])
def test_no_length_is_an_error(longest):
    with pytest.raises(ValueError, match="positive"):
        nice_length(longest)


def test_a_scale_bar_has_length_on_the_screen_and_text():
    assert scale_bar(ImageScale(1.05, "nm"), 4.0, 200.0) == (pytest.approx(50 / 1.05 * 4), "50 nm")


def test_less_than_one_pixel_has_no_bar():
    assert scale_bar(ImageScale(), 300.0, 200.0) is None
    assert scale_bar(ImageScale(), 0.0, 200.0) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2862.4, "2\u2009860"),
        (-12345.0, "-12\u2009300"),
        (0.04219, "0.0422"),
        (999.6, "1\u2009000"),
        (0.0, "0"),
    ],
)
def test_a_figure_has_three_digits_and_no_power_of_ten(value, text):
    assert numbers.figure(value) == text
