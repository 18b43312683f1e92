"""What is said of this computer: ports, and who may open them."""

import pytest
from legcurl.install.doctor.host_checks import Port, has_rule, of_ports, runs


def port(**other) -> Port:
    usual = {
        "device": "/dev/ttyACM0",
        "calls_itself": "Board in FS mode",
        "usb": "2e8a:0005",
        "boards": ("Raspberry Pi Pico W",),
        "openable": True,
    }
    return Port(**{**usual, **other})


def test_a_port_is_told_with_what_it_may_be():
    [about] = of_ports([port()], rule=True, member=None)
    assert about.state == "ok"
    assert (
        "/dev/ttyACM0: Board in FS mode (2e8a:0005); it may be a Raspberry Pi Pico W." in about.said
    )


def test_a_port_without_permission_names_the_group_that_has_it():
    [about] = of_ports([port(device="/dev/null", openable=False)], rule=False, member=None)
    assert about.state == "problem"
    assert "may" in about.remedy


def test_without_a_port_it_says_so():
    about = of_ports([], rule=False, member=("dialout", False))
    assert about[0].state == "note"
    assert "carries data" in about[0].remedy


@pytest.mark.parametrize(
    ("rule", "member", "state"),
    [
        (True, ("dialout", False), "ok"),
        (False, ("dialout", True), "ok"),
        (False, ("dialout", False), "note"),
    ],
)
def test_access_is_by_rule_or_by_group(monkeypatch, rule: bool, member, state: str):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    [_, about] = of_ports([], rule=rule, member=member)
    assert about.state == state
    assert about.state == "ok" or "usermod -a -G dialout" in about.remedy


def test_a_rule_is_known_by_what_it_is_for(tmp_path):
    assert not has_rule([str(tmp_path), str(tmp_path / "none")])
    (tmp_path / "10-other.rules").write_text('SUBSYSTEM=="net"')
    assert not has_rule([str(tmp_path)])
    (tmp_path / "60-pico.rules").write_text('ATTRS{idVendor}=="2E8A", TAG+="uaccess"')
    assert has_rule([str(tmp_path)])


def test_a_program_that_runs_is_seen_and_another_is_not():
    assert not runs("no-such-program-here")
