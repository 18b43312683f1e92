"""The magnet's strength is told along the range, by the chip's verdict and by its gain."""

from dataclasses import replace

import pytest
from led_lever import Led, Watched, frames
from legcurl.install.checks.findings import Finding
from legcurl.install.checks.magnet_stats import BINS, stretches
from legcurl.install.checks.stream_checks import of_magnet
from legcurl.protocol.frame import Status


def led_over(weak_beyond_deg: float) -> Watched:
    watched = Watched()
    for frame in frames(Led().rounds(2).flexion):
        weak = watched.stream.travel_deg - 20.0 > weak_beyond_deg
        watched.watch([replace(frame, status=int(Status.WEAK_MAGNET) if weak else 0)])
    return watched


def test_where_it_is_weak_is_a_stretch_of_the_range():
    bins = led_over(60.0).magnet.bins(20.0, 115.0)
    [(start, end)] = stretches(bins, Status.WEAK_MAGNET)
    assert start == pytest.approx(60 / 95, abs=2 / BINS)
    assert end == pytest.approx(1.0)
    assert stretches(bins, Status.STRONG_MAGNET) == []


def test_the_other_direction_is_the_same_range_from_its_other_end():
    magnet = led_over(60.0).magnet
    [(start, end)] = stretches(magnet.bins(115.0, 20.0), Status.WEAK_MAGNET)
    assert start == pytest.approx(0.0)
    assert end == pytest.approx(35 / 95, abs=2 / BINS)


def test_a_gain_counts_for_the_way_of_the_last_second():
    watched = Watched().watch(frames(Led().rests(1).goes(95, 3).flexion))
    watched.magnet.observe(64, 2000)
    bins = watched.magnet.bins(20.0, 115.0)
    assert bins[-1].gain == 0.5
    assert bins[BINS // 2].gain is None
    assert (watched.magnet.gain, watched.magnet.magnitude) == (0.5, 2000)


@pytest.mark.parametrize(("encoder", "gain"), [("as5600", 0.5), ("as5048a", 64 / 255)])
def test_a_gain_is_a_share_of_what_the_chip_has(encoder: str, gain: float):
    watched = Watched(encoder=encoder)
    watched.magnet.observe(64, None)
    assert watched.magnet.gain == pytest.approx(gain)


@pytest.mark.parametrize("agc", [None, "64", 6.4, True])
def test_an_encoder_without_figures_has_no_gain(agc: object):
    watched = Watched()
    watched.magnet.observe(agc, None)
    assert watched.magnet.gain is None


def said_of(agc: int) -> Finding:
    watched = Watched().watch(frames(Led().rounds(1).flexion))
    watched.magnet.observe(agc, 2000)
    [only] = of_magnet(watched.stream.figures, watched.magnet)
    return only


@pytest.mark.parametrize(
    ("agc", "state", "said"),
    [
        (55, "ok", "strength is right"),
        (2, "note", "nearly too strong"),
        (126, "note", "nearly too weak"),
    ],
)
def test_a_magnet_near_its_limits_is_worth_a_word(agc: int, state: str, said: str):
    assert said_of(agc).state == state
    assert said in said_of(agc).said
