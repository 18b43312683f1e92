"""The installer's hand, and faults that stand while he is there."""

from itertools import islice, pairwise
from math import isnan

import pytest
from legcurl.cli.shared.installer import installers_address
from legcurl.errors import ConfigError
from legcurl.links.sim_address import FAULTS, SimOptions, parse_address
from legcurl.simulator.encoder import GAIN_MOST, Magnet
from legcurl.simulator.fault_schedule import (
    BUS_ERROR,
    CORRUPT_BYTES,
    DOUBLE_BYTES,
    DROP_BYTES,
    HOST_STALL,
    POWER_CYCLE,
    STANDING_FROM_S,
    TICKS_HELD,
)
from legcurl.simulator.flash_image import fill_flash
from legcurl.simulator.programs import INSTALLER_ROUNDS
from legcurl.simulator.world import HEADER, RATE_HZ, RECORD, World
from selection import first_short

WELL = 0x20


def world(query: str = "seed=4") -> World:
    return World(parse_address(f"sim:?lifter=installer&pace=fast&{query}"))


def records(query: str) -> list[tuple[int, int, int]]:
    return list(RECORD.iter_unpack(b"".join(world(query).records())[HEADER.size :]))


@pytest.mark.parametrize("seed", first_short(range(1, 6)))
def test_he_rests_at_both_ends_often_enough(seed: int):
    simulated = world(f"seed={seed}")
    flexion = list(simulated.flexion())
    rom = simulated.scenario.lifter.rom_deg
    second = RATE_HZ
    rests = {0: 0, 1: 0}
    was = None
    for at in range(0, len(flexion) - 2 * second, second // 2):
        piece = flexion[at : at + 2 * second]
        if max(piece) - min(piece) > 1.5:
            was = None
            continue
        for end, deg in ((0, 0.0), (1, rom)):
            if abs(piece[0] - deg) < 3.5 and was != end:
                rests[end] += 1
                was = end
    assert min(rests.values()) >= INSTALLER_ROUNDS


def test_his_is_no_set():
    assert world().truth().sets == ()


def test_in_real_time_he_never_tires():
    endless = World(SimOptions(seed=4, lifter="installer")).flexion()
    ended = len(list(world().flexion()))
    assert sum(1 for _ in endless) == ended, "the trace itself is one visit"
    stream = World(SimOptions(seed=4, lifter="installer")).records()
    angles = [
        angle
        for chunk in islice(stream, 4 * ended // 250)
        for angle, _, _ in RECORD.iter_unpack(chunk[HEADER.size if chunk[:4] == b"LCW1" else 0 :])
    ]
    late = angles[-60 * RATE_HZ :]
    ways = [(angle - late[0] + 32768) % 65536 - 32768 for angle in late]
    assert max(ways) - min(ways) > 10_000, "he is still moving it"


@pytest.mark.parametrize("fault", ["no_magnet", "weak_magnet", "strong_magnet", "bus_error"])
def test_a_fault_stands_from_shortly_after_the_start_to_the_end(fault: str):
    ill = [(status, flags) != (WELL, 0) for _, status, flags in records(f"seed=4&fault={fault}")]
    began = ill.index(True)
    assert began == round(STANDING_FROM_S * RATE_HZ)
    assert all(ill[began:])


@pytest.mark.parametrize(
    ("fault", "flag"),
    [
        ("reboot", POWER_CYCLE),
        ("corrupt", CORRUPT_BYTES),
        ("noisy_bus", BUS_ERROR),
        ("missed_ticks", TICKS_HELD),
    ],
)
def test_event_faults_repeat(fault: str, flag: int):
    flags = [bool(flags & flag) for _, _, flags in records(f"seed=4&fault={fault}")]
    times = sum(after and not before for before, after in pairwise(flags))
    assert times >= 5
    assert sum(flags) < len(flags) / 5


ROUGH = CORRUPT_BYTES | DROP_BYTES | DOUBLE_BYTES | HOST_STALL


def test_a_rough_link_is_rough_for_as_long_as_he_is_there():
    rough = [flags & ROUGH for _, _, flags in records("seed=4&fault=rough_link")]
    assert set(rough) == {0, CORRUPT_BYTES, DROP_BYTES, DOUBLE_BYTES, HOST_STALL}
    quarter = len(rough) // 4
    assert not any(rough[: round(STANDING_FROM_S * RATE_HZ)])
    for begins in range(0, 4 * quarter, quarter):
        assert any(rough[begins : begins + quarter])


@pytest.mark.parametrize(("link", "instead"), [("serial", "fault=rough_link"), ("ble", "loss=0.2")])
def test_outages_of_sets_that_he_does_not_make_are_refused(link: str, instead: str):
    address = f"sim:?outages=2&link={link}"
    with pytest.raises(ConfigError, match=instead):
        parse_address(f"{address}&lifter=installer")
    with pytest.raises(ConfigError, match="lifter=installer makes none"):
        installers_address(address)  # which puts an installer in
    assert installers_address(f"{address}&lifter=steady")


def test_several_faults_stand_together():
    shown = records("seed=4&fault=weak_magnet,bus_error")
    assert shown[-1][1:] == (0x30, BUS_ERROR)


def test_a_magnet_beside_its_axle_is_weak_on_a_part_of_the_way():
    simulated = world("seed=4&fault=off_centre")
    shown = records("seed=4&fault=off_centre")
    weak = {status for _, status, _ in shown}
    assert weak == {WELL, 0x30}
    magnet = simulated.magnet
    for turn, status, _ in shown[::50]:
        assert (magnet.gain(turn) >= GAIN_MOST) == (status == 0x30)
    assert HEADER.unpack(b"".join(islice(simulated.records(), 1)))[4] == magnet.packed()


def test_a_magnet_on_its_axle_needs_the_same_gain_everywhere():
    assert Magnet().packed() == 0
    assert len({Magnet().gain(turn) for turn in range(0, 65536, 500)}) == 1


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_makes_a_world_and_a_flash(fault: str, tmp_path):
    simulated = world(f"seed=4&fault={fault}")
    fill_flash(tmp_path, simulated.options)
    assert (tmp_path / "settings.json").exists()
    assert sum(not isnan(angle) for _, angle in islice(simulated.sensor_trace(100.0), 150)) == 150


def test_a_calibration_of_the_other_side_is_left_in_flash(tmp_path):
    simulated = world("seed=4&fault=wrong_direction")
    fill_flash(tmp_path, simulated.options)
    stored = (tmp_path / "calibration.json").read_text()
    assert f'"direction": {-simulated.scenario.encoder.direction}' in stored
