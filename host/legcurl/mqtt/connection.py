"""One connection to a broker: MQTT 5 by paho-mqtt, in the event loop.

This uses paho directly, because wrappers of it hide what decides whether a message is lost: the
reason in a PUBACK (brokers also acknowledge a topic that their rules forbid, with "not
authorized"), acknowledgement after the database has committed, and the cause of a failed
connection. A connection is used once.

`Connection.open` raises BrokerError with a remedy after at most CONNECT_S + ANSWER_S. `lost` is set
when the connection is over.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from legcurl.config.model import MqttConfig
from legcurl.errors import BrokerError
from legcurl.mqtt.connect_errors import (
    CONNECT_S,
    in_words,
    refusal,
    tls_context,
    tls_hint,
    why_no_connection,
)

ANSWER_S = 10.0  # for each answer of a broker
KEEPALIVE_S = 20  # a broker publishes the last will after one and a half of these
MISC_S = KEEPALIVE_S / 4
CLOSE_S = 2.0
STEADY_S = 5.0  # after which another client with our name is not the cause of a break
PACKET_MAX = 16 * 1024 * 1024  # of a received packet; the broker drops larger ones

TAKEN_OVER = 0x8E
PACKET_TOO_LARGE = 0x95
NO_SUBSCRIBERS = 0x10

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Will:
    """The retained message that the broker publishes when this client vanishes."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """How long the broker keeps messages for an absent client, and how many it sends ahead."""

    expires_s: int
    receive_max: int


@dataclass(frozen=True, slots=True)
class Received:
    """A received message that is not acknowledged yet."""

    topic: str
    payload: bytes
    retained: bool
    packet_id: int
    qos: int


class Connection:
    """A connection to a broker; `open` makes one."""

    def __init__(
        self,
        broker: MqttConfig,
        client_id: str,
        *,
        will: Will | None = None,
        session: Session | None = None,
    ) -> None:
        self.lost = asyncio.Event()
        self.trouble: BrokerError | None = None  # why it is over
        self.received: asyncio.Queue[Received] = asyncio.Queue()  # the broker keeps to receive_max
        self.packet_max = PACKET_MAX  # of what we may send
        self.had_session = False
        self._broker = broker
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._unacked: dict[int, asyncio.Future[ReasonCode]] = {}
        self._subscribing: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        self._closing = False
        self._opened_s = self._loop.time()
        self._misc: asyncio.TimerHandle | None = None
        self._watched: int | None = None  # the file descriptor that the loop watches for us
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_S
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_wants_to_write
        client.on_socket_unregister_write = self._on_has_written
        if broker.username is not None:
            password = None if broker.password is None else broker.password.value
            client.username_pw_set(broker.username, password)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        self._client = client

    @classmethod
    async def open(
        cls,
        broker: MqttConfig,
        client_id: str,
        *,
        will: Will | None = None,
        session: Session | None = None,
    ) -> Connection:
        """Connect and sign in. Without a `session` the broker keeps no messages."""
        connection = cls(broker, client_id, will=will, session=session)
        try:
            await connection._open()
        except BaseException:
            connection._close_socket()
            raise
        return connection

    @property
    def steady(self) -> bool:
        """Whether it has lasted STEADY_S."""
        return self._loop.time() - self._opened_s >= STEADY_S

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> asyncio.Future[int]:
        """Publish with QoS 1; messages leave in the order of the calls.

        The future gives the broker's reason (NO_SUBSCRIBERS, or 0). It raises BrokerRefusedError if
        the broker refuses the message, and BrokerError if the connection is lost before the answer.
        """
        told: asyncio.Future[int] = self._loop.create_future()
        if self.lost.is_set():
            told.set_exception(self._why_lost())
            return told
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        if sent.rc not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_QUEUE_SIZE):
            self._fail(f"The connection to {self._broker.where} broke: {in_words(sent.rc)}.")
            told.set_exception(self._why_lost())
            return told
        acknowledged: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._unacked[sent.mid] = acknowledged
        acknowledged.add_done_callback(lambda done: _pass_on(done, told, topic, self._broker.where))
        return told

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish with QoS 1 and wait for the broker's answer; raises as `send` does."""
        return await self._answer_to(self.send(topic, payload, retain=retain))

    async def all_told(self, sent: Sequence[asyncio.Future[int]]) -> None:
        """Wait until the broker has answered each, or ANSWER_S pass without an answer."""
        silent = set(sent)
        while silent:
            told, silent = await asyncio.wait(
                silent, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not told:
                self._fail(f"{self._broker.where} has stopped answering.")

    async def subscribe(self, *topics: str) -> None:
        """Subscribe with QoS 1. BrokerRefusedError if the broker's rules forbid it."""
        wanted = [(topic, SubscribeOptions(qos=1)) for topic in topics]
        code, packet_id = self._client.subscribe(wanted)
        if code != paho.MQTT_ERR_SUCCESS or packet_id is None:
            raise BrokerError(f"{self._broker.where} cannot be asked: {in_words(code)}.")
        granted: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._subscribing[packet_id] = granted
        for topic, reason in zip(topics, await self._answer_to(granted), strict=True):
            if reason.is_failure:
                raise refusal(f"{self._broker.where} refuses every subscription to {topic}", reason)

    async def unsubscribe(self, *topics: str) -> None:
        """Unsubscribe; messages that the broker already holds for us still come."""
        self._client.unsubscribe(list(topics))

    def acknowledge(self, message: Received) -> None:
        """Acknowledge a message, so that the broker does not send it again."""
        if not self.lost.is_set():
            self._client.ack(message.packet_id, message.qos)

    async def close(self, *, forget_session: bool = False) -> None:
        """Disconnect, so that the broker publishes no last will."""
        if self.lost.is_set():
            return
        self._closing = True
        properties = None
        if forget_session:
            properties = Properties(PacketTypes.DISCONNECT)
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.lost.wait()
        except TimeoutError:
            self._fail(f"{self._broker.where} took no farewell.")

    def drop(self) -> None:
        """Close the socket at once: the broker publishes the last will."""
        self._fail(f"The connection to {self._broker.where} was dropped.")

    async def _open(self) -> None:
        where = self._broker.where
        if self._broker.tls:
            self._client.tls_set_context(tls_context(self._broker))
        properties = Properties(PacketTypes.CONNECT)
        properties.MaximumPacketSize = PACKET_MAX
        if self._session is not None:
            properties.SessionExpiryInterval = self._session.expires_s
            properties.ReceiveMaximum = self._session.receive_max

        def connect() -> None:
            self._client.connect(
                self._broker.host,
                self._broker.port,
                KEEPALIVE_S,
                clean_start=self._session is None,
                properties=properties,
            )
            if self.lost.is_set():  # there is no waiter any more
                self._close_socket()

        try:
            await _in_a_thread(connect)
        except (OSError, ValueError) as error:
            raise BrokerError(why_no_connection(self._broker, error)) from error
        stream = self._client.socket()
        if stream is None:
            raise BrokerError(f"{where} closed the connection at once.{tls_hint(self._broker)}")
        if isinstance(stream, socket.socket):  # as with TLS too
            # Without it Nagle's algorithm delays small messages whose answers we wait for.
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watched = stream.fileno()
        self._loop.add_reader(self._watched, self._read)
        if self._client.want_write():
            self._loop.add_writer(self._watched, self._write)
        self._misc = self._loop.call_later(MISC_S, self._look_after)
        try:
            async with asyncio.timeout(ANSWER_S):
                reason = await self._answered
        except TimeoutError as error:
            raise BrokerError(
                f"{where} accepts connections and does not answer as an MQTT broker would. Is it "
                f"stuck, or is that another service's port?{tls_hint(self._broker)}"
            ) from error
        if reason.is_failure:
            raise refusal(f"{where} refuses the connection", reason)

    def _read(self) -> None:
        try:
            while True:
                self._client.loop_read()
                stream = self._client.socket()
                if not isinstance(stream, ssl.SSLSocket) or not stream.pending():
                    return  # what is decrypted already would not wake the loop again
        except Exception as error:  # noqa: BLE001 - whatever paho makes of bytes that are no MQTT
            self._fail(
                f"What answers at {self._broker.where} is no MQTT broker "
                f"({type(error).__name__}: {error})."
            )

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(f"The connection to {self._broker.where} broke: {error}.")

    def _look_after(self) -> None:
        """Let paho send its pings and detect missing answers."""
        self._misc = self._loop.call_later(MISC_S, self._look_after)
        self._client.loop_misc()

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.had_session = flags.session_present
        self.packet_max = min(getattr(properties, "MaximumPacketSize", PACKET_MAX), PACKET_MAX)
        if not self._answered.done():
            self._answered.set_result(reason)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        where = self._broker.where
        if not self._answered.done():
            self._fail(
                f"{where} closed the connection before it answered as an MQTT broker "
                f"would.{tls_hint(self._broker)}"
            )
        elif self._closing:
            self._fail(f"The connection to {where} was closed.")
        elif flags.is_disconnect_packet_from_server:
            self._end(refusal(f"{where} ended the connection", reason))
        else:
            self._fail(f"The connection to {where} was lost.")

    def _on_publish(
        self,
        _client: paho.Client,
        _userdata: object,
        packet_id: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        _settle(self._unacked.pop(packet_id, None), reason)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        packet_id: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        _settle(self._subscribing.pop(packet_id, None), reasons)

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        self.received.put_nowait(
            Received(
                message.topic,
                bytes(message.payload),
                message.retain,
                message.mid,
                message.qos,
            )
        )

    def _on_wants_to_write(self, *_: object) -> None:
        if self._watched is not None:  # else paho is still connecting, in its thread
            self._loop.add_writer(self._watched, self._write)

    def _on_has_written(self, *_: object) -> None:
        if self._watched is not None:
            self._loop.remove_writer(self._watched)

    def _on_socket_close(self, *_: object) -> None:
        self._unwatch()

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None
        if self._misc is not None:
            self._misc.cancel()
            self._misc = None

    def _fail(self, why: str) -> None:
        self._end(BrokerError(why))

    def _end(self, trouble: BrokerError) -> None:
        """Set why the connection is over, and fail the futures that wait for the broker."""
        if self.lost.is_set():
            return
        self.trouble = trouble
        self.lost.set()
        for waiting in (self._answered, *self._unacked.values(), *self._subscribing.values()):
            if not waiting.done():
                waiting.set_exception(trouble)
                waiting.exception()  # else asyncio logs an error that no task retrieves
        self._unacked.clear()
        self._subscribing.clear()
        self._close_socket()

    def _close_socket(self) -> None:
        """Close the socket; paho has no call for it without a DISCONNECT."""
        self._unwatch()
        stream = self._client.socket()
        if stream is not None:
            stream.close()
        self.lost.set()

    def _why_lost(self) -> BrokerError:
        return self.trouble or BrokerError(f"The connection to {self._broker.where} is over.")

    async def _answer_to(self, asked: asyncio.Future[_T]) -> _T:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asked
        except TimeoutError:
            self._fail(f"{self._broker.where} has stopped answering.")
            raise self._why_lost() from None


async def _in_a_thread(work: Callable[[], None]) -> None:
    """Run a call that may block on a name server or a host that does not answer.

    It runs in a daemon thread, so that a service can stop at once meanwhile.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failure: Exception | None = None
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is raised at the waiting call
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name="connecting to the broker", daemon=True).start()
    await done


def _settle(waiting: asyncio.Future[_T] | None, value: _T) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(value)


def _pass_on(
    done: asyncio.Future[ReasonCode], told: asyncio.Future[int], topic: str, where: str
) -> None:
    if told.done():
        return
    error = done.exception()
    if error is not None:
        told.set_exception(error)
    elif done.result().is_failure:
        told.set_exception(refusal(f"{where} refuses what is sent to {topic}", done.result()))
    else:
        told.set_result(done.result().value)
    told.exception()  # else asyncio logs an error that no task retrieves
