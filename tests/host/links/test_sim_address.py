"""A `sim:` address says everything, or is refused with what is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from legcurl.errors import ConfigError
from legcurl.links import sim_address
from legcurl.links.sim_address import FAULTS, SimOptions, parse_address
from legcurl.simulator.families import FAMILIES, LIFTERS


def test_sim_alone_is_a_steady_lifter_at_80_percent_in_real_time():
    options = parse_address("sim:")
    assert options == SimOptions()
    assert (options.lifter, options.load, options.sets, options.rate) == ("steady", 0.8, 1, 100.0)
    assert options.pace == 1.0
    assert options.address() == "sim:"


def test_every_option_is_read():
    options = parse_address(
        "sim:?seed=7&lifter=early&load=0.75&sets=2&rate=200&pace=8&link=tcp&fault=stuck,reboot"
    )
    assert options == SimOptions(7, "early", 0.75, 2, 200.0, 8.0, "tcp", ("stuck", "reboot"))


@pytest.mark.parametrize(("text", "pace"), [("realtime", 1.0), ("fast", "fast"), ("0.5", 0.5)])
def test_pace_is_realtime_or_fast_or_a_factor(text, pace):
    assert parse_address(f"sim:?pace={text}").pace == pace


def test_an_address_knows_the_lifters_that_the_simulator_has():
    assert tuple(LIFTERS) == sim_address.LIFTERS
    assert [name for name in LIFTERS if LIFTERS[name].installs] == [sim_address.INSTALLER]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("speed=3", ["no option 'speed'", "seed", "lifter", "pace"]),
        ("lifter=arnold", ["no lifter 'arnold'", "steady", "early", "fail_low"]),
        ("fault=gremlins", ["no fault 'gremlins'", *FAULTS]),
        ("fault=stuck,gremlins", ["no fault 'gremlins'"]),
        ("seed=-1", ["seed=-1", "0", "4294967295"]),
        ("seed=4294967296", ["whole number"]),
        ("seed=7.5", ["whole number"]),
        ("seed=", ["whole number"]),
        ("seed=²", ["whole number"]),
        ("sets=0", ["1 to 100000"]),
        ("rate=10", ["20 to 400"]),
        ("rate=nan", ["20 to 400"]),
        ("load=5", ["0.2 to 1.3"]),
        ("load=heavy", ["a number"]),
        ("pace=warp", ["realtime, fast, or a factor"]),
        ("pace=0", ["realtime, fast, or a factor"]),
        ("link=string", ["serial, tcp"]),
        ("link=ble&interval_ms=5", ["interval_ms", "7.5 to 4000"]),
        ("link=ble&mtu=22", ["mtu", "23 to 517"]),
        ("link=ble&loss=0.9", ["loss", "0 to 0.5"]),
        ("link=ble&no_memory=1", ["no_memory", "0 to 0.5"]),
        ("link=ble&fault=corrupt", ["corrupt", "link=ble", "loss=0.2"]),
        ("outages=51", ["outages", "0 to 50"]),
        ("drift_ppm=+3", ["drift_ppm", "-500 to 500"]),
        ("mtu=23", ["mtu", "link=ble"]),
        ("link=tcp&loss=0.1", ["loss", "link=ble"]),
        ("seed=1&seed=2", ["twice"]),
        ("seed", ["NAME=VALUE"]),
    ],
)
def test_an_invalid_option_is_refused_naming_the_valid_ones(query, names):
    with pytest.raises(ConfigError) as refusal:
        parse_address(f"sim:?{query}")
    for name in names:
        assert name in str(refusal.value)


@pytest.mark.parametrize("address", ["serial:/dev/ttyACM0", "sim", "sim:seed=7", ""])
def test_an_address_that_is_no_sim_address_is_refused(address):
    with pytest.raises(ConfigError, match="sim:\\?lifter=steady"):
        parse_address(address)


def test_radio_options_that_change_nothing_are_accepted():
    assert parse_address("sim:?outages=0&loss=0&mtu=517") == SimOptions()


@given(
    st.builds(
        SimOptions,
        seed=st.integers(0, 2**32 - 1),
        lifter=st.sampled_from(sorted(FAMILIES)),
        load=st.sampled_from([0.5, 0.8, 1.05]),
        sets=st.integers(1, 100_000),
        rate=st.sampled_from([20.0, 62.5, 100.0, 400.0]),
        pace=st.sampled_from([1.0, 0.25, 8.0, "fast"]),
        link=st.sampled_from(["serial", "tcp"]),
        fault=st.lists(st.sampled_from(sorted(FAULTS)), max_size=3).map(tuple),
    )
)
def test_an_address_says_its_options_again(options):
    assert parse_address(options.address()) == options
