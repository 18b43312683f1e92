"""Intervals: known values, and that they are the same every time."""

import re
from pathlib import Path

import pytest
from legcurl.validation.certainty import bootstrap, quantile, sample_size, wilson

DOCUMENT = Path(__file__).parents[3] / "docs" / "validate.md"
ROW = re.compile(r"^\| (\d+) \| ([\d.]+) to ([\d.]+) % \| ([\d.]+) to ([\d.]+) % \|$", re.MULTILINE)


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (81, 100, 0.7222, 0.8749), (0, 0, 0.0, 1.0)],
)
def test_wilson_intervals_are_those_of_the_tables(right, of, low, high):
    assert wilson(right, of) == pytest.approx((low, high), abs=5e-5)


def test_an_interval_stays_within_what_is_possible():
    for of in (1, 3, 20, 400):
        assert wilson(0, of)[0] == 0.0
        assert wilson(of, of)[1] == 1.0


def test_a_bootstrap_gives_the_same_interval_every_time():
    values = [1.0, 2.0, 4.0, 8.0, 16.0]
    first = bootstrap(values, lambda some: sum(some) / len(some))
    assert first == bootstrap(values, lambda some: sum(some) / len(some))
    assert first is not None
    assert 1.0 <= first[0] < 6.2 < first[1] <= 16.0


def test_a_bootstrap_of_a_normal_mean_is_near_its_theory():
    values = [((7 * i) % 101 - 50) / 29.15 for i in range(101)]  # mean 0, deviation 1
    interval = bootstrap(values, lambda some: sum(some) / len(some))
    assert interval == pytest.approx((-0.195, 0.195), abs=0.03)


def test_one_recording_has_no_interval():
    assert bootstrap([3.0], lambda some: some[0]) is None
    assert bootstrap([3.0, 4.0], lambda some: None) is None


def test_recordings_that_are_all_alike_have_no_interval():
    assert bootstrap([1.0] * 20, lambda some: sum(some) / len(some)) is None


def test_quantiles_are_linear_between_values():
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0, 2.0], 0.25) == 1.25
    assert quantile([5.0], 0.95) == 5.0
    with pytest.raises(ValueError, match="no quantile"):
        quantile([], 0.5)


def test_the_table_of_the_document_is_what_the_code_computes():
    rows = ROW.findall(DOCUMENT.read_text("utf-8"))
    assert len(rows) >= 6
    for sets, *written in rows:
        size = sample_size(int(sets))
        computed = [f"{100 * edge:.1f}" for edge in (*size.all_right, *size.one_wrong)]
        assert written == computed, f"{sets} sets"
