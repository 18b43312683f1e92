"""`serve --broker`, `collect` and `mqtt`, as somebody starts and kills them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from brokers import Ear, Mosquitto, free_port
from legcurl.cli.shared.options import broker_from
from legcurl.config import Secret
from legcurl.store import SetQuery, open_store
from made_sets import FIRST, new_set
from running import Running, run
from selection import first_short
from timings import until


def serving(folder: Path, broker: str, *more: str) -> tuple[str, ...]:
    return (
        *("serve", "--port", "0", "--quiet", "--store", f"sqlite:///{folder / 'gym.db'}"),
        *(
            "--station",
            "Curl=sim:?seed=5&sets=3&pace=8",
            "--broker",
            broker,
            "--gym",
            "north",
            *more,
        ),
    )


@pytest.mark.long
async def test_a_service_that_is_killed_is_offline_by_its_last_will(
    tmp_path: Path, mosquitto: Mosquitto, ear: Ear
) -> None:
    with Running(*serving(tmp_path, mosquitto.url)) as service:
        await ear.until(lambda: ear.documents("rep"))
        service.send(signal.SIGKILL)
        await ear.until(lambda: ear.documents("status")[-1]["state"] == "offline")
    assert ear.documents("status")[-1]["reason"] == "vanished"
    with Running(*serving(tmp_path, mosquitto.url)) as service:
        await ear.until(lambda: ear.documents("status")[-1]["state"] == "online")
        service.send(signal.SIGTERM)
        assert service.end() == 143
        await ear.until(lambda: ear.documents("status")[-1]["reason"] == "stopped")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--broker", "http://x", "--gym", "north"), "mqtt://"),
        (("--broker", "mqtt://x"), "--gym"),
        (("--broker", "mqtt://x", "--gym", "a/b"), "'a/b' is no gym's id"),
        (("--broker", "mqtt://x", "--gym", "north", "--ca-file", "x.pem"), "mqtts://"),
    ],
)
def test_an_invalid_broker_is_refused_before_anything_starts(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    store = f"sqlite:///{tmp_path / 'gym.db'}"
    done = run("serve", "--port", "0", "--store", store, "--station", "sim:", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_invalid_arguments_are_refused_and_make_no_store(tmp_path: Path) -> None:
    done = run("mqtt", "check", "--broker", "mqtt://127.0.0.1:9", "--gym", "a/+/#")
    assert (done.returncode, "no gym's id" in done.stderr) == (2, True)
    nowhere = tmp_path / "nowhere.db"
    done = run("mqtt", "resend", "--store", f"sqlite:///{nowhere}", "--since", "2026-01-01")
    assert (done.returncode, "There is no store" in done.stderr) == (7, True)
    assert not nowhere.exists()


def test_check_says_whether_the_broker_can_be_used(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker", password="right", tls=True) as mosquitto:
        url = mosquitto.url.replace("mqtt://", "mqtts://gym@")
        ca_file = ("--ca-file", str(mosquitto.config.ca_file))
        done = run("mqtt", "check", "--broker", url, *ca_file, LEGCURL_MQTT_PASSWORD="right")
        assert (done.returncode, done.stderr) == (0, "")
        assert "can be used" in done.stdout
        done = run("mqtt", "check", "--broker", url, *ca_file, LEGCURL_MQTT_PASSWORD="wrong-one")
        assert done.returncode == 3
        assert "password is wrong" in done.stderr or "Not authorized" in done.stderr
        assert "wrong-one" not in done.stderr
        done = run("mqtt", "check", "--broker", url, LEGCURL_MQTT_PASSWORD="right")
        assert done.returncode == 3
        assert "not to be trusted" in done.stderr
    done = run("mqtt", "check", "--broker", f"mqtt://127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert "Nothing listens" in done.stderr


@pytest.mark.parametrize("command", first_short(["check", "collect", "serve"]))
def test_every_command_reads_the_password_file_by_the_same_rules(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "password").write_text("two\nlines\n")
    store = ("--store", f"sqlite:///{tmp_path / 'gym.db'}")
    words = {
        "check": ("mqtt", "check"),
        "collect": ("collect", *store),
        "serve": ("serve", "--port", "0", *store, "--station", "sim:", "--gym", "north"),
    }
    file = str(tmp_path / "password")
    broker = ("--broker", f"mqtt://gym@127.0.0.1:{free_port()}")
    done = run(*words[command], *broker, LEGCURL_MQTT_PASSWORD_FILE=file)
    assert done.returncode == 2
    assert f"LEGCURL_MQTT_PASSWORD_FILE: {file} must hold one line of text" in done.stderr


def test_a_broker_from_the_command_line_takes_the_secrets_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEGCURL_MQTT_PASSWORD", "hush")
    assert broker_from("mqtt://gym@broker", None).password == Secret("hush")
    assert "LEGCURL_MQTT_PASSWORD" not in os.environ, "processes that we start do not get it"


def test_collect_refuses_invalid_arguments(tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path / 'center.db'}")
    done = run("collect", "--broker", "mqtt://x", *store, "--share", "a/b")
    assert (done.returncode, "'a/b'" in done.stderr) == (2, True)
    done = run("collect", "--broker", "mqtt://x", "--store", "what")
    assert (done.returncode, "no such store" in done.stderr) == (7, True)


@pytest.mark.long
async def test_sets_of_before_reach_the_center_when_they_are_sent_again(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    gym, center = (f"sqlite:///{tmp_path / name}.db" for name in ("gym", "center"))
    with open_store(gym) as store:  # it does not publish yet
        for number in range(250):
            store.add_set(new_set(number, trace=None))
    since = f"{FIRST:%Y-%m-%d}"
    with Running(
        "collect", "--broker", mosquitto.url, "--store", center, "--id", "one", "--json"
    ) as one:
        while not json.loads(one.line())["connected"]:
            pass
        for _ in range(2):
            done = run("mqtt", "resend", "--store", gym, "--since", since, "--json")
            assert json.loads(done.stdout) == {"sets": 250}, done.stderr
        with Running(*serving(tmp_path, mosquitto.url)) as service:
            with open_store(center) as store:
                last = f"north:set-{249:04}"
                await until(lambda: last in ids(store))
                assert len([found for found in ids(store) if "set-0" in found]) == 250
            service.send(signal.SIGTERM)
            service.end()
        one.send(signal.SIGTERM)
        assert one.end() == 143
        assert one.complaints() == ""


def ids(store) -> list[str]:
    return [one.id for one in store.find_sets(SetQuery(limit=500)).sets]
