"""Holds and ends against the definitions, worked out independently and non-causally."""

from __future__ import annotations

import math
import random

import pytest
from legcurl import analyze
from lever import STEP_S, Lever

SIGMA_S = 0.10
V0_DEG_S = 5.0


def velocity(flexion: list[float]) -> list[float]:
    """Zero-phase Gaussian velocity at 100 Hz, straight from the definition."""
    every = 10
    coarse = flexion[::every]
    dt = STEP_S * every
    reach = round(4 * SIGMA_S / dt)
    weights = [math.exp(-((i * dt) ** 2) / (2 * SIGMA_S**2)) for i in range(-reach, reach + 1)]
    total = sum(weights)
    padded = [coarse[0]] * (reach + 1) + coarse + [coarse[-1]] * (reach + 1)
    smooth = [
        sum(w * padded[i + j] for j, w in enumerate(weights)) / total
        for i in range(len(coarse) + 2)
    ]
    return [(smooth[i + 2] - smooth[i]) / (2 * dt) for i in range(len(coarse))]


def hold_by_definition(lever: Lever, after_s: float, top: float) -> tuple[float, float]:
    v = velocity(lever.flexion)
    theta = lever.flexion[::10]
    i = round(after_s * 100)
    while not (theta[i] >= top - 3 and v[i] < V0_DEG_S):
        i += 1
    start = i - (V0_DEG_S - v[i]) / (v[i - 1] - v[i]) if v[i - 1] > V0_DEG_S else float(i)
    while theta[i] > top - 8:
        i += 1
    while v[i] <= -V0_DEG_S:
        i -= 1
    end = i + (v[i] + V0_DEG_S) / (v[i] - v[i + 1])
    return start / 100, end / 100


@pytest.mark.parametrize("hold_s", [0.0, 0.3, 1.0, 2.9, 3.1, 6.0])
@pytest.mark.parametrize("up_s", [1.2, 2.5, 5.0])
def test_the_hold_is_measured_by_velocity_onset(hold_s: float, up_s: float):
    lever = Lever().rests(3).rep().lifts(100, up_s).holds(hold_s).lowers(0, 3).rests(0.3)
    began_s = 3 + 9.7 + 0.1
    start_s, end_s = hold_by_definition(lever, began_s, 100 if hold_s > 0.3 else 99)
    times, angles = lever.rep().rests(5).seen(noise_deg=0.06, seed=3)
    rep = analyze([t / 1e6 for t in times], angles)[0].reps[1]
    assert rep.hold_s == pytest.approx(max(end_s - start_s, 0.0), abs=0.03)
    assert rep.hold_start_s == pytest.approx(start_s, abs=0.03)
    assert rep.hold_end_s == pytest.approx(end_s, abs=0.03)


def test_an_overshoot_on_arrival_is_not_the_top():
    lever = Lever().rests(3).rep()
    lever.lifts(100, 2.5).lifts(106, 0.08).lowers(100, 0.08).holds(3).lowers(0, 4).rests(
        0.3
    ).rep().rests(5)
    times, angles = lever.seen()
    rep = analyze([t / 1e6 for t in times], angles)[0].reps[1]
    assert rep.peak_deg < 102.5
    assert rep.hold_s == pytest.approx(3.3, abs=0.4)


def test_a_sag_slower_than_v0_is_still_a_hold():
    lever = Lever().rests(3).rep().lifts(100, 2.5).sags(5, 6).lowers(0, 3).rests(0.3)
    times, angles = lever.rep().rests(5).seen(noise_deg=0.05)
    rep = analyze([t / 1e6 for t in times], angles)[0].reps[1]
    assert rep.hold_s == pytest.approx(6.3, abs=0.3)


def test_holds_are_measured_within_30_ms_over_many_draws():
    rng = random.Random(5)
    errors = []
    for seed in range(20):
        hold_s = rng.uniform(1.0, 4.0)
        up_s, down_s = rng.uniform(1.5, 4.0), rng.uniform(2.0, 6.0)
        lever = Lever().rests(3).rep().lifts(95, up_s).holds(hold_s).lowers(0, down_s).rests(0.3)
        start_s, end_s = hold_by_definition(lever, 3 + 9.7 + 0.1, 95)
        rate_hz = rng.choice([50.0, 100.0, 200.0])
        times, angles = (
            lever.rep(top=95).rests(5).seen(rate_hz, noise_deg=0.07, jitter=0.1, seed=seed)
        )
        rep = analyze([t / 1e6 for t in times], angles)[0].reps[1]
        errors.append(abs(rep.hold_s - (end_s - start_s)))
    errors.sort()
    assert errors[len(errors) // 2] <= 0.010
    assert errors[-1] <= 0.030


def test_phases_add_up_and_follow_each_other():
    times, angles = Lever().rests(3).rep().rep().rests(5).seen()
    for rep in analyze([t / 1e6 for t in times], angles)[0].reps:
        assert rep.start_s < rep.hold_start_s <= rep.hold_end_s < rep.end_s <= rep.known_s
        assert rep.concentric_s == pytest.approx(rep.hold_start_s - rep.start_s)
        assert rep.eccentric_s == pytest.approx(rep.end_s - rep.hold_end_s)
        assert rep.known_s - rep.end_s < 0.45
        assert rep.hold_met
