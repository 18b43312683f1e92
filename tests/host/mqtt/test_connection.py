"""A connection comes about or says why not, and knows what has arrived."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from brokers import Ear, Mosquitto, certificates, free_port, no_broker
from legcurl.config.broker_url import broker_of
from legcurl.config.model import MqttConfig, Secret
from legcurl.errors import BrokerError, BrokerRefusedError, ConfigError
from legcurl.mqtt import connection
from legcurl.mqtt.connection import NO_SUBSCRIBERS, PACKET_TOO_LARGE, Connection, Will
from timings import LIMIT_S, until

PASSWORD = "correct horse"


async def failure(config: MqttConfig) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        await Connection.open(config, "test")
    assert PASSWORD not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_with_the_right_password_and_authority_messages_arrive(
    tmp_path: Path, tls: bool
) -> None:
    with Mosquitto(tmp_path / "broker", password=PASSWORD, tls=tls) as mosquitto:
        async with Ear(mosquitto.config, "#") as ear:
            speaker = await Connection.open(mosquitto.config, "speaker")
            payloads = [b"x" * size for size in (1, 70_000, 0, 1_000_000)]
            for payload in payloads:
                assert await speaker.publish("here", payload) == 0
            await ear.until(lambda: len(ear.heard) == len(payloads))
            assert [message.payload for message in ear.heard] == payloads
            await speaker.close()


async def test_a_wrong_password_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker", password="another") as mosquitto:
        error = await failure(replace(mosquitto.config, password=Secret(PASSWORD)))
        assert isinstance(error, BrokerRefusedError)
        assert "password" in str(error)
        assert "refuses the connection" in str(
            await failure(replace(mosquitto.config, username=None))
        )


async def test_a_certificate_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other, *_ = certificates(tmp_path / "other")
    with Mosquitto(tmp_path / "broker", tls=True) as mosquitto:
        said = str(await failure(replace(mosquitto.config, ca_file=other)))
        assert "not to be trusted" in said
        assert str(other) in said
        assert "system's list" in str(await failure(replace(mosquitto.config, ca_file=None)))
        assert "for the name localhost" in str(
            await failure(replace(mosquitto.config, host="localhost"))
        )


async def test_a_tls_mismatch_in_either_direction_is_told(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "plain") as plain, Mosquitto(tmp_path / "tls", tls=True) as secret:
        assert "mqtts://" in str(await failure(replace(secret.config, tls=False)))
        said = str(await failure(replace(plain.config, tls=True, ca_file=secret.config.ca_file)))
        assert "TLS" in said or "closed" in said


async def test_a_closed_port_and_an_unknown_name_are_told() -> None:
    assert "Nothing listens" in str(await failure(MqttConfig("127.0.0.1", free_port())))
    assert "no computer of that name" in str(await failure(MqttConfig("broker.invalid")))


async def test_an_invalid_ca_file_is_a_configuration_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pem", Path(__file__)):
        with pytest.raises(ConfigError, match=re.escape(path.name)):
            await Connection.open(MqttConfig("127.0.0.1", 1, tls=True, ca_file=path), "test")


@pytest.mark.parametrize(
    "says",
    [
        None,
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20,
        b"\x20\x03\x00\x00\x00\xff\xff\xff\xff\xff\xff",  # a welcome, and then nonsense
        bytes(range(256)) * 8,
        b"\x30\xff\xff\xff\x7f" + b"x" * 100_000,  # a message of 256 MB begins
        b"\x20\x02\x00\x01",  # MQTT 3's refusal
    ],
    ids=["silence", "http", "welcome", "bytes", "endless", "mqtt3"],
)
async def test_a_server_that_is_no_broker_is_told_and_closed_in_time(
    says: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_S", 0.5)
    async with asyncio.timeout(LIMIT_S), no_broker(says) as config:
        try:
            opened = await Connection.open(config, "test")
            await until(opened.lost.is_set)
            error = opened.trouble
        except BrokerError as refused:
            error = refused
        assert str(config.port) in str(error)


async def test_a_connection_to_a_silent_broker_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "ANSWER_S", 0.3)
    async with no_broker(b"\x20\x03\x00\x00\x00") as config:
        opened = await Connection.open(config, "test")
        sent = [opened.send("here", b"") for _ in range(3)]
        await opened.all_told(sent)
        assert all("stopped answering" in str(told.exception()) for told in sent)
        with pytest.raises(BrokerError, match="stopped answering"):
            await opened.publish("here", b"")


async def test_a_forbidden_message_does_not_count_as_delivered(tmp_path: Path) -> None:
    rules = "topic readwrite allowed/#\n"
    with Mosquitto(tmp_path / "broker", rules=rules) as mosquitto:
        speaker = await Connection.open(mosquitto.config, "speaker")
        assert await speaker.publish("allowed/here", b"") == NO_SUBSCRIBERS
        with pytest.raises(BrokerRefusedError, match=r"sent to elsewhere.*Not authorized"):
            await speaker.publish("elsewhere", b"")
        await speaker.close()


async def test_a_message_larger_than_the_broker_takes_is_refused_as_that(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker", more="max_packet_size 20000") as mosquitto:
        speaker = await Connection.open(mosquitto.config, "speaker")
        assert speaker.packet_max == 20000
        with pytest.raises(BrokerRefusedError) as caught:
            await speaker.publish("here", b"x" * 30_000)
        assert caught.value.code == PACKET_TOO_LARGE


async def test_the_will_is_published_after_a_crash_and_not_after_a_disconnect(
    mosquitto: Mosquitto, ear: Ear
) -> None:
    for leaves in (True, False):
        will = Will("legcurl/x/will", b"%d" % leaves)
        gone = await Connection.open(mosquitto.config, "gone", will=will)
        if leaves:
            await gone.close()
        else:
            gone.drop()
    await ear.until(lambda: ear.heard)
    assert [message.payload for message in ear.heard] == [b"0"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://broker", "URL of a broker"),
        ("broker:1883", "URL of a broker"),
        ("mqtt://", "URL of a broker"),
        ("mqtt://broker:99999", "port"),
        ("mqtt://broker:port", "port"),
        ("mqtt://broker/topic", "ends with its port"),
        (f"mqtt://:{PASSWORD}@broker", "user name"),
    ],
)
def test_an_invalid_url_is_refused_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        broker_of(url)
    assert PASSWORD not in str(caught.value)


def test_a_url_says_all_that_is_needed() -> None:
    assert broker_of("mqtt://broker") == MqttConfig("broker", 1883)
    assert broker_of("mqtts://[::1]").where == "mqtts://[::1]:8883"
    told = broker_of("mqtt://gym:p%40ss@broker:99")
    assert (told.username, told.password, told.port) == ("gym", Secret("p@ss"), 99)
    told = broker_of("mqtt://gym@broker", password=Secret(PASSWORD))
    assert told.password == Secret(PASSWORD)
    assert PASSWORD not in repr(told)
    both = broker_of("mqtt://gym:p%40ss@broker", password=Secret(PASSWORD))
    assert both.password == Secret("p@ss"), "the URL is nearer"
