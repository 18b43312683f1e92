"""Brokers for tests: the real Mosquitto, and things that are none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
from legcurl import mqtt
from legcurl.config.model import MqttConfig, Secret
from legcurl.mqtt.connection import Connection, Received, Session
from timings import LIMIT_S, until, wait_until

SCHEMA = json.loads((Path(mqtt.__file__).parent / "schema.json").read_text())


class Mosquitto:
    """A broker in a folder, which may be stopped and started again.

    Its settings are those of docs/mqtt.md, so that what is proven here holds there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: str | None = None,
        tls: bool = False,
        rules: str = "",
        more: str = "",
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = MqttConfig("127.0.0.1", self.port)
        folder.mkdir()
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",
            "persistence true",
            f"persistence_location {folder}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "set_tcp_nodelay true",
            f"allow_anonymous {'false' if password else 'true'}",
            more,
        ]
        if password:
            passwords = folder / "passwords"
            passwords.touch(mode=0o600)
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), "gym", password], check=True)
            lines.append(f"password_file {passwords}")
            self.config = replace(self.config, username="gym", password=Secret(password))
        if rules:
            (folder / "rules").write_text(rules)
            lines.append(f"acl_file {folder / 'rules'}")
        if tls:
            ca, certificate, key = certificates(folder)
            lines += [f"cafile {ca}", f"certfile {certificate}", f"keyfile {key}"]
            self.config = replace(self.config, tls=True, ca_file=ca)
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(self.folder / "mosquitto.conf"), "-v"],
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, lambda: "Mosquitto does not start")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def stop(self) -> None:
        """End it in good order: it keeps its sessions."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT_S)
            self._process = None


_numbers = count(1)


class Ear:
    """Subscribes to everything and keeps what it hears, each message checked by the schema."""

    def __init__(self, config: MqttConfig, *topics: str) -> None:
        self.heard: list[Received] = []
        self._documents: list[dict[str, Any]] = []
        self._read = 0
        self._name = f"ear-{next(_numbers)}"
        self._config = config
        self._topics = topics or ("legcurl/#",)
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Ear:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def listen(self) -> None:
        session = Session(expires_s=3600, receive_max=1000)
        self._connection = await Connection.open(self._config, self._name, session=session)
        self._task = asyncio.create_task(self._hear(self._connection))
        await self._connection.subscribe(*self._topics)

    async def leave(self) -> None:
        if self._task is not None and self._connection is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._connection.close()

    async def until(self, true: Callable[[], object]) -> None:
        await until(true, lambda: f"heard {len(self.heard)}: {self.topics()[-20:]}")

    def topics(self) -> list[str]:
        return [message.topic for message in self.heard]

    def documents(self, *kinds: str) -> list[dict[str, Any]]:
        """What was heard, of some kinds, in order."""
        for message in self.heard[self._read :]:
            if message.topic.startswith("legcurl/"):
                self._documents.append(read(message))
        self._read = len(self.heard)
        return [told for told in self._documents if not kinds or told["kind"] in kinds]

    async def _hear(self, connection: Connection) -> None:
        while True:
            message = await connection.received.get()
            self.heard.append(message)
            connection.acknowledge(message)


def read(message: Received) -> dict[str, Any]:
    """A message, which must be as schema.json says."""
    document = json.loads(message.payload)
    validator(document["kind"]).validate(document)
    assert message.topic.endswith(document["kind"])
    return document


@cache
def validator(kind: str) -> Any:
    draft = jsonschema.Draft202012Validator
    draft.check_schema(SCHEMA)
    schema = {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
    return draft(schema, format_checker=draft.FORMAT_CHECKER)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@asynccontextmanager
async def no_broker(says: bytes | None) -> AsyncIterator[MqttConfig]:
    """Something that accepts connections, and says nothing (None) or something else."""
    writers: list[asyncio.StreamWriter] = []

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if says is not None:
            writer.write(says)
            with contextlib.suppress(OSError):
                await writer.drain()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield MqttConfig("127.0.0.1", server.sockets[0].getsockname()[1])
        for writer in writers:
            writer.close()


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and what it signed for 127.0.0.1: files of the authority, certificate, key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject: str, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    may_sign = x509.BasicConstraints(ca=True, path_length=0)
    ca = (
        certificate("Authority", authority)
        .add_extension(may_sign, critical=True)
        .sign(authority, hashes.SHA256())
    )
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    own = (
        certificate("Broker", key)
        .add_extension(here, critical=False)
        .sign(authority, hashes.SHA256())
    )
    files = folder / "ca.pem", folder / "broker.pem", folder / "broker.key"
    files[0].write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(own.public_bytes(serialization.Encoding.PEM))
    files[2].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
