"""What an operator installs beside the program: the unit, the udev rule, the container file."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from legcurl.cli.serve import serve
from timings import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "host" / "deploy"
UNIT = DEPLOY / "legcurl.service"
RULES = DEPLOY / "60-legcurl.rules"
CONTAINER = DEPLOY / "Containerfile"
LEGCURL = Path(sys.executable).parent / "legcurl"
EXPOSURE_MAX = 2.0  # of 10; systemd calls up to 2 "OK" and most of a distribution's services 9

KEY = re.compile(
    r'(ACTION|SUBSYSTEMS?|GOTO|LABEL|TAG|SYMLINK|ATTRS?\{\w+\}|ENV\{\w+\})(==|!=|\+=|=)"([^"]*)"'
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it would be on this computer, where the program is elsewhere."""
    copy = tmp_path / "legcurl.service"
    copy.write_text(UNIT.read_text().replace("/opt/legcurl/bin/legcurl", str(LEGCURL)))
    return copy


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "SYSTEMD_COLORS": "0"},
    )


def test_systemd_has_nothing_to_say_against_the_unit(unit: Path):
    done = analyze("verify", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_unit_with_a_mistake_would_be_noticed(unit: Path):
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in analyze("verify", unit).stderr


def test_the_service_has_few_privileges(unit: Path):
    done = analyze("security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for legcurl.service: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[")):
            found.setdefault(name, []).append(value)
    return found


def test_systemd_waits_longer_than_the_service_takes_to_end():
    from legcurl.cli.shared.signals import ENDS_WITHIN_S

    assert float(settings()["TimeoutStopSec"][0]) > ENDS_WITHIN_S


def test_the_secrets_of_the_unit_are_what_the_service_reads():
    from legcurl.config.parser import SECRETS

    named = set(re.findall(r"(\w+)_FILE=%d/", UNIT.read_text()))
    assert named == {variable for (section, _), variable in SECRETS.items() if section == "web"}
    loaded = set(re.findall(r"LoadCredential=([\w-]+):", UNIT.read_text()))
    assert loaded == set(re.findall(r"_FILE=%d/([\w-]+)", UNIT.read_text()))


def container_instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", CONTAINER.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_unit_and_the_container_start_existing_commands():
    (started,) = settings()["ExecStart"]
    (command,) = [json.loads(rest) for name, rest in container_instructions() if name == "CMD"]
    for words in (shlex.split(started)[1:], command):
        assert words[0] == "serve"
        serve.make_parser(click.Context(serve)).parse_args(words[1:])


def test_the_container_copies_existing_files_and_extras():
    instructions = container_instructions()
    known = {"FROM", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "VOLUME", "EXPOSE"}
    known |= {"STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions} <= known
    copied = [rest.split() for name, rest in instructions if name == "COPY"]
    for *sources, _target in copied:
        if not sources[0].startswith("--from="):
            for source in sources:
                assert (ROOT / source).exists(), source
    run = " ".join(rest for name, rest in instructions if name == "RUN")
    (extras,) = re.findall(r"\./host\[([\w,]+)\]", run)
    declared = tomllib.loads((ROOT / "host" / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= set(declared["optional-dependencies"])
    (user,) = [rest for name, rest in instructions if name == "USER"]
    assert user != "root"
    assert instructions[-2] == ("ENTRYPOINT", '["legcurl"]')


def test_the_container_uses_a_python_that_legcurl_runs_on():
    declared = tomllib.loads((ROOT / "host" / "pyproject.toml").read_text())["project"]
    images = [rest.split()[0] for name, rest in container_instructions() if name == "FROM"]
    assert len(set(images)) == 1
    (version,) = re.findall(r"python:([\d.]+)-slim$", images[0])
    assert f"Programming Language :: Python :: {version}" in declared["classifiers"]


def rules() -> list[list[tuple[str, str, str]]]:
    """Each rule's keys, operators and values; a line that is no rule fails."""
    found = []
    for line in RULES.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(", ")]
        keys = [KEY.fullmatch(part) for part in parts]
        assert all(keys), f"udev would not understand: {line}"
        found.append([key.groups() for key in keys if key])
    return found


def ids(rule: list[tuple[str, str, str]], attribute: str) -> str | None:
    said = {key: value for key, _, value in rule}
    vendor, product = (said.get(f"{attribute}{{id{what}}}") for what in ("Vendor", "Product"))
    return f"{vendor}:{product}" if vendor and product else None


def test_the_udev_rule_knows_the_usb_ids_of_every_board():
    boards = [json.loads(file.read_text()) for file in (ROOT / "firmware/boards").glob("*.json")]
    wanted = {usb for board in boards for usb in board["usb"]}
    opened = {ids(rule, "ATTRS") for rule in rules() if ("TAG", "+=", "uaccess") in rule}
    assert opened == wanted
    ignored = {
        ids(rule, "ATTR") for rule in rules() if ("ENV{ID_MM_DEVICE_IGNORE}", "=", "1") in rule
    }
    assert ignored == wanted


def test_every_jump_of_the_udev_rule_leads_forward_to_a_label():
    labels = {
        value: at for at, rule in enumerate(rules()) for key, _, value in rule if key == "LABEL"
    }
    jumps = [(at, v) for at, rule in enumerate(rules()) for key, _, v in rule if key == "GOTO"]
    assert jumps
    for at, target in jumps:
        assert labels[target] > at


def test_a_stable_port_name_needs_a_serial_number():
    for rule in rules():
        if any(key == "SYMLINK" for key, _, _ in rule):
            assert ("ATTRS{serial}", "==", "?*") in rule
            assert ids(rule, "ATTRS") in ("2e8a:0005", "303a:4001"), "bridges share one number"
