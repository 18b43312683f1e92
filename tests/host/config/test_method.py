"""A gym has a training method, and a machine may have its own."""

from __future__ import annotations

import pytest
from legcurl.config import InvalidConfigError, read_config
from legcurl.training_method import STANDARD, TrainingMethod

TWO_MACHINES = """
[method]
hold_target_s = 2
count_at = "top"

[[machine]]
id = "left"
address = "sim:"

[[machine]]
id = "right"
address = "sim:"
[machine.method]
hold_target_s = 5.5
set_window_s = [45, 90]
"""


def test_a_machine_has_the_gyms_method_but_for_its_own_fields():
    config = read_config(TWO_MACHINES)
    left, right = config.machines
    assert config.method == left.method == TrainingMethod(hold_target_s=2, count_at="top")
    assert right.method == TrainingMethod(hold_target_s=5.5, count_at="top", set_window_s=(45, 90))


def test_without_a_method_it_is_the_exercises_own():
    config = read_config("[[machine]]\nid = 'left'\naddress = 'sim:'\n")
    assert config.method == config.machines[0].method == STANDARD


def test_a_wrong_field_of_a_machines_method_is_told_with_its_line():
    with pytest.raises(InvalidConfigError) as refused:
        read_config(TWO_MACHINES + "hold_tolerence_s = 1\nfull_rom_fraction = 90\n")
    first, second = (str(problem) for problem in refused.value.problems)
    assert "line 16" in first
    assert "did you mean hold_tolerance_s?" in first
    assert "line 17: full_rom_fraction = 90: must be a number from 0.5 to 0.95." in second


@pytest.mark.parametrize("said", ["[" * 9000, "1" * 9000, "x = 1", "1\n2"])
def test_no_text_of_a_variable_breaks_the_reading(said: str):
    with pytest.raises(InvalidConfigError, match="LEGCURL_METHOD_HOLD_TARGET_S"):
        read_config("", variables={"LEGCURL_METHOD_HOLD_TARGET_S": said})


def test_a_variable_overrides_the_gyms_method():
    variables = {"LEGCURL_METHOD_HOLD_TARGET_S": "4", "LEGCURL_METHOD_SET_WINDOW_S": "[30, 60]"}
    config = read_config(TWO_MACHINES, variables=variables)
    assert config.method.hold_target_s == config.machines[0].method.hold_target_s == 4
    assert config.machines[0].method.set_window_s == (30, 60)
    assert config.machines[1].method.hold_target_s == 5.5
