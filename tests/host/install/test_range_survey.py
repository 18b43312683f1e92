"""Where the range ends is found by following the lever, whoever leads it and however."""

from statistics import median

import pytest
from led_lever import Led, Watched, frames, installers_frames
from legcurl.install.calibrate.range_survey import POSE_WAY_DEG, RangeSurvey, rests_of
from legcurl.links.sim_address import parse_address
from legcurl.simulator.world import World
from selection import first_short

HAND_DEG = (
    3.0  # what a hand leaves between where it should be and where it rests, on a stiff machine
)


def ends(watched: Watched) -> tuple[float, float]:
    rests = watched.survey.rests
    return (
        median(rest.travel_deg for rest in rests_of(rests, "extended")),
        median(rest.travel_deg for rest in rests_of(rests, "flexed")),
    )


def turned(angle_deg: float, from_deg: float) -> float:
    return (angle_deg - from_deg + 180.0) % 360.0 - 180.0


def test_each_round_is_legs_straight_and_then_full_flexion():
    watched = Watched().watch(frames(Led().rounds(3).flexion))
    assert watched.survey.done
    assert [(rest.end, rest.number) for rest in watched.told] == [
        ("extended", 1),
        ("flexed", 1),
        ("extended", 2),
        ("flexed", 2),
        ("extended", 3),
        ("flexed", 3),
    ]
    extended, flexed = ends(watched)
    assert flexed - extended == pytest.approx(95.0, abs=0.1)


@pytest.mark.parametrize("seed", first_short(range(1, 9), 2))
def test_an_installers_hand_is_followed_to_the_true_ends(seed: int):
    world = World(parse_address(f"sim:?lifter=installer&pace=fast&seed={seed}"))
    watched = Watched().watch(installers_frames(seed))
    assert watched.survey.done
    for found, true in zip(ends(watched), world.calibration(), strict=True):
        assert turned(found, true) == pytest.approx(0.0, abs=HAND_DEG)


@pytest.mark.parametrize("rate_hz", [20.0, 400.0])
def test_the_rate_does_not_matter(rate_hz: float):
    at_100 = ends(Watched().watch(installers_frames(3)))
    assert ends(Watched().watch(installers_frames(3, rate_hz=rate_hz))) == pytest.approx(
        at_100, abs=0.3
    )


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("offset_deg", [0.0, 100.0, 350.0])
def test_offset_direction_and_wrap_do_not_matter(offset_deg: float, direction: int):
    sent = frames(Led().rounds(3).flexion, offset_deg=offset_deg, direction=direction)
    extended, flexed = ends(Watched().watch(sent))
    assert extended % 360 == pytest.approx(offset_deg % 360, abs=0.2)
    assert flexed - extended == pytest.approx(direction * 95.0, abs=0.2)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_range_beyond_half_a_turn_keeps_its_direction(direction: int):
    trace = Led()
    for _ in range(3):
        trace.rests(3).goes(230, 4).rests(3).goes(0, 4)
    extended, flexed = ends(Watched().watch(frames(trace.flexion, direction=direction)))
    assert flexed - extended == pytest.approx(direction * 230.0, abs=0.2)


def test_a_hand_that_corrects_itself_is_taken_at_its_last_word():
    trace = Led(-7.0).rests(4).goes(0, 1).rests(3).goes(88, 3).rests(2).goes(95, 1).rests(3)
    watched = Watched(rounds=2).watch(frames(trace.goes(0, 3).rests(2).flexion))
    assert [rest.end for rest in watched.told] == ["extended"] * 2 + ["flexed"] * 2 + ["extended"]
    extended, flexed = ends(watched)
    assert extended == pytest.approx(20.0, abs=0.2)
    assert flexed - extended == pytest.approx(95.0, abs=0.2)


def test_a_stop_half_way_is_no_end():
    trace = Led()
    for _ in range(3):
        trace.rests(3).goes(50, 2).rests(2).goes(95, 2).rests(3).goes(40, 2).rests(2).goes(0, 2)
    watched = Watched().watch(frames(trace.rests(3).flexion))
    extended, flexed = ends(watched)
    assert (extended, flexed - extended) == pytest.approx((20.0, 95.0), abs=0.2)


def test_a_lever_that_never_rests_gives_no_end():
    trace = Led()
    for _ in range(8):
        trace.goes(95, 3).goes(0, 3)
    watched = Watched().watch(frames(trace.flexion))
    assert watched.told == []
    assert not watched.survey.done
    assert watched.survey.moved_deg > 90


def test_waiting_for_the_installer_is_counted_in_sensor_time():
    watched = Watched().watch(frames(Led().rests(30).flexion))
    assert watched.survey.idle_s == pytest.approx(30.0 - 1.2, abs=0.2)
    assert watched.survey.wanted == ("flexed", 1)


def test_a_short_loss_of_the_magnet_costs_nothing():
    trace = Led()
    for _ in range(3):
        trace.rests(2).blind(0.2).rests(2).goes(95, 3).rests(2).blind(0.2).rests(2).goes(0, 3)
    extended, flexed = ends(Watched().watch(frames(trace.flexion)))
    assert flexed - extended == pytest.approx(95.0, abs=0.2)


def test_a_noisy_stop_is_no_rest():
    watched = Watched().watch(frames(Led().rounds(1).flexion, noise_deg=6.0))
    assert not watched.told


def test_the_last_rest_counts_even_if_the_lever_goes_back_soon():
    trace = Led().rounds(2).rests(3).goes(95, 3).rests(1.6).goes(0, 3).rests(3)
    watched = Watched().watch(frames(trace.flexion))
    assert watched.survey.done
    assert len(watched.survey.rests) == 6
    assert watched.survey.rests[-1].travel_deg == pytest.approx(115.0, abs=0.3)


def test_after_the_last_rest_nothing_changes_any_more():
    watched = Watched(rounds=1).watch(frames(Led().rounds(4).flexion))
    assert len(watched.survey.rests) == 2


def test_a_restart_keeps_what_was_measured():
    watched = Watched(rounds=2).watch(frames(Led().rounds(1).flexion))
    before = list(watched.survey.rests)
    watched.survey.restart()
    assert watched.survey.rests == before
    assert not watched.survey.still


def test_the_smallest_way_between_two_ends_is_the_smallest_range():
    nearly = Watched().watch(frames(Led().rounds(3, flexed_deg=POSE_WAY_DEG - 1).flexion))
    assert {rest.end for rest in nearly.told} == {"extended"}
    enough = Watched().watch(frames(Led().rounds(3, flexed_deg=POSE_WAY_DEG + 1).flexion))
    assert enough.survey.done
    assert isinstance(enough.survey, RangeSurvey)
