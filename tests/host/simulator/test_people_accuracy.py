"""How a session's score is made: what is one lift, what is missed, what is invented."""

from dataclasses import replace
from itertools import pairwise

import pytest
from baselines import Found, find_peaks, fractions, hysteresis
from dataset import SimulatedSession, make_session
from people_accuracy import EXACT, compare, listed, paired, scored_session


def session(*, pulsed: bool = False) -> SimulatedSession:
    """Five plain lifts by one person."""
    made = next(m for m in map(make_session, range(100, 140)) if is_plain(m))
    if not pulsed:
        return made
    one = made.sets[0]
    return replace(
        made, sets=(replace(one, reps=tuple(replace(r, pulsed=True) for r in one.reps)),)
    )


def is_plain(made: SimulatedSession) -> bool:
    return len(made.sets) == 1 and not made.optional and not any(r.pulsed for r in listed(made))


def spans(made: SimulatedSession) -> list[tuple[float, float]]:
    return [(truth.rep.start_s, truth.rep.end_s) for truth in listed(made)]


@pytest.mark.long
def test_the_truth_itself_is_exact():
    for seed in range(100, 110):
        made = make_session(seed)
        assert compare(made, spans(made))[1:] == (0, 0)


def test_a_rep_without_a_lift_is_invented():
    made = session()
    assert compare(made, [*spans(made), (made.t_s[-1], made.t_s[-1] + 1.0)])[1:] == (0, 1)


def test_two_lifts_told_as_one_are_a_lift_missed():
    made = session()
    first, second, *others = spans(made)
    missed, _ = compare(made, [(first[0], second[1]), *others])[1:]
    assert missed >= 1


@pytest.mark.long
def test_an_upside_down_listing_finds_nothing():
    """Its reps run from top to top: the middle of the hold is their edge."""
    made = session()
    holds = [0.5 * (t.rep.hold_start_s + t.rep.hold_end_s) for t in listed(made)]
    assert not paired(listed(made), list(pairwise(holds)))


@pytest.mark.long
def test_pulses_may_be_listed_as_several_lifts():
    made = session(pulsed=True)
    (start_s, end_s), *others = spans(made)
    middle_s = 0.5 * (start_s + end_s)
    assert compare(made, [(start_s, middle_s), (middle_s, end_s), *others])[1:] == (0, 0)
    plain = session()
    assert compare(plain, [(start_s, middle_s), (middle_s, end_s), *others])[2] >= 1


def test_what_may_be_listed_or_not_costs_nothing_either_way():
    made = next(m for m in map(make_session, range(100, 160)) if m.optional)
    optional = [(truth.rep.start_s, truth.rep.end_s) for truth in made.optional]
    assert compare(made, spans(made))[1:] == (0, 0)
    assert compare(made, [*spans(made), *optional])[1:] == (0, 0)


def test_every_method_answers_the_same_question():
    score = scored_session(100).scores
    assert [one.of[EXACT] for one in score.values()] == [1, 1, 1, 1]


@pytest.mark.long
def test_the_baselines_find_the_lifts_of_a_plain_session():
    made = session()
    fraction = fractions(made.angle_deg, made.extended_deg, made.flexed_deg)
    found: list[Found] = [find_peaks(made.t_s, fraction), hysteresis(made.t_s, fraction)]
    for one in found:
        assert len(paired(listed(made), one.lifts)) >= len(listed(made)) - 1
