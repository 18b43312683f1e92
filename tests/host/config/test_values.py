"""Every key takes its valid values, and tells of each other one in which line it stands."""

from __future__ import annotations

import pytest
from legcurl.config import Config, InvalidConfigError, read_config
from legcurl.config.schema import SECTIONS

WRONG = {
    ("gym", "id"): ['""', '"a b"', '"-x"', '"' + "x" * 32 + '"', "7", '"ü"', '"a/b"'],
    ("gym", "name"): ["7", '"' + "x" * 81 + '"', '"two\\nlines"', "[]"],
    ("machine", "id"): ['""', '"a:b"', '"' + "x" * 33 + '"', "1", "true"],
    ("machine", "name"): ["1.5", '"bell\\u0007"'],
    ("machine", "address"): ['""', '"usb"', '"serial:"', '"tcp:host"', '"sim:?lifter=ox"', "3"],
    ("machine", "method"): ["1", '"standard"', "[]"],
    ("method", "hold_target_s"): ["-0.1", "60.1", '"3"', "true", "nan"],
    ("method", "hold_tolerance_s"): ["-1", "1.1", "[]"],
    ("method", "set_window_s"): ["60", "[60]", "[120, 60]", "[60, 60]", '["1", "2"]', "[0, 3601]"],
    ("method", "full_rom_fraction"): ["0.49", "0.96", "90"],
    ("method", "counted_fraction"): ["0.4", "1", '"0.9"'],
    ("method", "count_at"): ['"start"', "1", "[]"],
    ("machine", "extended_deg"): ['"90"', "nan", "inf", "-361.0", "true"],
    ("machine", "flexed_deg"): ['"90"', "nan", "-inf", "721"],
    ("store", "url"): [
        *("1", '""', "[]", '"gym.db"', '"mysql://u@h/db"', '"sqlite://gym.db"', '"sqlite:///"'),
        *('"sqlite:///:memory:"', '"sqlite:////srv/x.db?mode=memory"'),
        *('"sqlite+other:///x"', '"postgresql://h:port/db"', '"postgresql://h:65536/db"'),
    ],
    ("store", "journal"): ["false", '""'],
    ("store", "keep_traces_days"): ["0", "-1", "1.5", '"30"', "true", "99999999"],
    ("store", "keep_sets_days"): ["0", '"x"'],
    ("web", "host"): ["127", '""', '"a host"', '"http://gym"', '"[::1]"'],
    ("web", "port"): ["-1", "65536", '"8080"', "80.0", "true"],
    ("web", "allow_hosts"): ['"gym"', "[1]", '[""]', '["http://gym"]'],
    ("web", "pin_file"): ["1234", '""'],
    ("web", "view_pin_file"): ["1234"],
    ("web", "metrics_token_file"): ["[]"],
    ("mqtt", "host"): ["1", '""', '"mqtt://broker"', '"me@broker"'],
    ("mqtt", "port"): ["0", "65536", '"1883"'],
    ("mqtt", "tls"): ['"yes"', "1"],
    ("mqtt", "ca_file"): ["1"],
    ("mqtt", "username"): ["1", '""'],
    ("mqtt", "password_file"): ["true"],
    ("mqtt", "home_assistant"): ['"true"', "0"],
    ("mqtt", "traces"): ["1"],
    ("log", "format"): ['"xml"', "1", "[]"],
    ("log", "level"): ['"loud"', "3"],
}


def test_every_key_has_its_wrong_values():
    assert set(WRONG) == {(section, key) for section, keys in SECTIONS.items() for key in keys}


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [(section, key, value) for (section, key), values in WRONG.items() for value in values],
)
def test_each_wrong_value_is_told_with_its_line(section: str, key: str, value: str):
    head = "[[machine]]" if section == "machine" else f"[{section}]"
    refused = read(f"\n{head}\n# a word\n{key} = {value}\n")
    assert isinstance(refused, InvalidConfigError)
    told = [str(problem) for problem in refused.problems]
    assert any(f"line 4: {key}" in line and "must be" in line for line in told), told


OF_EVERY_KIND = [
    *('""', '"\u2028"', '"x"', "'''\nx\n'''", "0", "-1", "1e999", "nan", "true", "0x" + "f" * 5000),
    *("1" + "0" * 400, "1.5", "2020-01-01", "07:32:00", "1979-05-27T07:32:00Z", "[]", "[[[]]]"),
    *("{}", "{a = 1}", '"\\u0000"', '"~nobody-of-that-name/x"', '"' + "x" * 2000 + '"', '["", 1]'),
]


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section in SECTIONS for key in SECTIONS[section]]
)
def test_a_value_of_any_kind_is_taken_or_told_with_its_line(section: str, key: str):
    head = "[[machine]]" if section == "machine" else f"[{section}]"
    for value in OF_EVERY_KIND:
        found = read(f"{head}\n{key} = {value}\n")
        assert isinstance(found, Config) or {problem.where for problem in found.problems} <= {
            *("the configuration, line 1", "the configuration, line 2", "the configuration"),
        }, value


def read(text: str) -> Config | InvalidConfigError:
    try:
        return read_config(text)
    except InvalidConfigError as error:
        return error
