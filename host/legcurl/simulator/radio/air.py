"""A virtual radio: what is on the air between the controllers of one process.

It models the connected Low Energy link as its hosts can feel it:

- Data moves only at connection events, one every connection interval, in both directions, packet
  by packet as long as their time on air (1M PHY) fits the interval, and at most
  `packets_an_event`, which is where real controllers stop.
- Loss delays, and never loses: a packet that was not acknowledged ends the event and is sent
  again in the next, as the link layer does. A connection of which nothing gets through for the
  supervision timeout is lost, and both hosts are told.
- Silence: a device that no other hears, for a time (`silence`) or for good (`abandon`: its power
  was cut).

All randomness comes from the seed and each connection draws its own, so what happens to one does
not depend on how busy another is. `pace` is the speed of this radio's clock: at 8, an interval of
30 ms takes 3.75 ms.

Not modelled: radio channels, distance and interference between connections, advertising
collisions, peripheral latency, encryption, isochronous channels, Bluetooth Classic.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import floor, inf
from random import Random

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport

from legcurl.simulator.radio.controller import (
    LL_PAYLOAD_BYTES,
    ConnectionParameters,
    Radio,
    VirtualController,
)

DEFAULT_INTERVAL_S = 0.030  # what Linux and Android ask for, give or take
DEFAULT_TIMEOUT_S = 5.0  # Android's; Linux asks for 0.42, iOS for 0.72
DEFAULT_PACKETS_AN_EVENT = 6  # phones and dongles stop between four and ten
INTERVAL_RANGE_S = (0.0075, 4.0)  # Core 5.4, volume 4, part E, 7.8.12
LONGEST_TIMEOUT_S = 32.0

# Core 5.4, volume 6, part B, 2.1 and 4.1: preamble, access address, header and CRC of a packet on
# the 1M PHY, 8 µs a byte; 150 µs from one packet to the answer.
PACKET_HEAD_BYTES = 10
BYTE_S = 8e-6
INTER_FRAME_S = 150e-6
CONTROL_BYTES = 12  # the longest control packet that moves here, rounded up


class VirtualRadio(Radio):
    """The air. Give it to the devices that shall hear each other."""

    def __init__(
        self,
        *,
        interval_s: float = DEFAULT_INTERVAL_S,
        timeout_s: float | None = None,
        loss: float = 0.0,
        packets_an_event: int = DEFAULT_PACKETS_AN_EVENT,
        seed: int = 0,
        pace: float = 1.0,
    ) -> None:
        super().__init__()
        self.preferred = connection_parameters(interval_s, timeout_s)
        self.loss = loss
        self.packets_an_event = packets_an_event
        self.pace = pace
        self._seed = seed
        self._connections: list[AirConnection] = []
        self._formed = 0
        self._silent: dict[Controller, asyncio.TimerHandle | None] = {}

    @property
    def connections(self) -> int:
        """How many connections there are now, lost ones included until that is noticed."""
        return len(self._connections)

    def connections_of(self, controller: Controller) -> int:
        """How many of them have `controller` at one end."""
        return len(self._of(controller))

    def is_silent(self, controller: Controller) -> bool:
        """Whether no other device hears it now."""
        return controller in self._silent or controller not in self.controllers

    def silence(self, controller: VirtualController, seconds: float = inf) -> None:
        """No device hears `controller`, and it hears none, for so long or until `hear`."""
        self._stop_waiting(controller)
        self._silent[controller] = (
            None if seconds == inf else self.later(seconds, self.hear, controller)
        )
        for connection in self._of(controller):
            connection.watch()

    def hear(self, controller: VirtualController) -> None:
        """End its silence."""
        self._stop_waiting(controller)
        for connection in self._of(controller):
            connection.watch()

    def sever(self, controller: VirtualController) -> None:
        """Its connections are lost, now, as if the supervision timeout were over."""
        for connection in self._of(controller):
            connection.lose()

    def abandon(self, controller: VirtualController) -> None:
        """Its power was cut, or its host has reset it: its connections are on their own."""
        for connection in self._of(controller):
            connection.leave(controller)

    def connect(
        self,
        central: VirtualController,
        own: hci.Address,
        peer: hci.Address,
        how: ConnectionParameters,
    ) -> bool:
        """Form a connection, if the advertiser of `peer` is there and takes it."""
        if self.is_silent(central):
            return False
        for other in list(self.controllers):
            if (
                not isinstance(other, VirtualController)
                or other is central
                or self.is_silent(other)
                or not (theirs := other.accept(peer, own, how))
            ):
                continue
            self._formed += 1
            ours = central.add_connection(hci.Role.CENTRAL, own, peer, how)
            rng = Random(f"{self._seed} {self._formed}")
            ends = (End(central, ours), End(other, theirs))
            self._connections.append(AirConnection(self, ends, how, rng))
            return True
        return False

    def update(self, one: hci.Address, other: hci.Address, how: ConnectionParameters) -> None:
        """A connection takes new parameters, at both ends."""
        if connection := self._between(one, other):
            connection.change(how)

    def later(self, seconds: float, call: object, *arguments: object) -> asyncio.TimerHandle:
        """`call_later` of this radio's clock."""
        return asyncio.get_running_loop().call_later(seconds / self.pace, call, *arguments)  # type: ignore[arg-type]

    def add_controller(self, controller: Controller) -> None:
        """Put it on the air, under an address of its own."""
        address = controller.public_address
        if any(other.public_address == address for other in self.controllers):
            raise ValueError(f"{address} is on this radio already: give each device an address")
        super().add_controller(controller)

    def remove_controller(self, controller: Controller) -> None:
        """Take it off the air."""
        self.controllers.discard(controller)
        self._stop_waiting(controller)

    def forget(self, connection: AirConnection) -> None:
        """It has ended."""
        if connection in self._connections:
            self._connections.remove(connection)

    def send_advertising_pdu(
        self, sender_controller: Controller, packet: ll.AdvertisingPdu
    ) -> None:
        """Bumble's link interface."""
        if not self.is_silent(sender_controller):
            for other in self.controllers:
                if other is not sender_controller and other not in self._silent:
                    asyncio.get_running_loop().call_soon(other.on_ll_advertising_pdu, packet)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Bumble's link interface."""
        if transport != PhysicalTransport.LE:
            return
        known = sender_controller.le_connections.get(destination_address)
        for connection in self._of(sender_controller):
            for end in connection.ends:
                if end.connection is known:
                    connection.send(end, data, len(data))

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Bumble's link interface."""
        if connection := self._between(sender_address, receiver_address):
            for end in connection.ends:
                if end.connection.self_address == sender_address:
                    connection.send(end, packet, CONTROL_BYTES)

    def _stop_waiting(self, controller: Controller) -> None:
        if handle := self._silent.pop(controller, None):
            handle.cancel()

    def _of(self, controller: Controller) -> list[AirConnection]:
        return [
            connection
            for connection in self._connections
            if any(end.controller is controller for end in connection.ends)
        ]

    def _between(self, one: hci.Address, other: hci.Address) -> AirConnection | None:
        # The newest first: of an older one between the same two, one end may not know its end.
        for connection in reversed(self._connections):
            if {end.connection.self_address for end in connection.ends} == {one, other}:
                return connection
        return None


class End:
    """One end of a connection, and what it has to send."""

    def __init__(self, controller: VirtualController, connection: Connection) -> None:
        self.controller = controller
        self.connection = connection
        self.here = True  # it has not lost its power
        self.waiting: deque[Waiting] = deque()

    @property
    def open(self) -> bool:
        """Whether the controller still has this connection, this very one."""
        known = self.controller.le_connections.get(self.connection.peer_address)
        return known is self.connection


class Waiting:
    """A packet of the host that waits, or of which a part has gone."""

    def __init__(self, packet: bytes | ll.ControlPdu, size: int) -> None:
        self.packet = packet
        self.left = size

    @property
    def fragment(self) -> int:
        """Bytes that go in the next packet of the link layer."""
        return min(self.left, LL_PAYLOAD_BYTES)


class AirConnection:
    """One connection: its events, while there is something to carry, and its end."""

    def __init__(
        self,
        radio: VirtualRadio,
        ends: tuple[End, End],  # central, peripheral
        how: ConnectionParameters,
        rng: Random,
    ) -> None:
        self.ends = ends
        self.how = how
        self._radio = radio
        self._rng = rng
        self._anchor = asyncio.get_running_loop().time()
        self._events = 0  # since the anchor
        self._event: asyncio.TimerHandle | None = None
        self._supervision: asyncio.TimerHandle | None = None
        # Lost events count, not the clock: a busy computer that skips events loses no connection.
        self._unheard_s = 0.0

    def send(self, end: End, packet: bytes | ll.ControlPdu, size: int) -> None:
        """Queue a packet for the next event that has room for it."""
        end.waiting.append(Waiting(packet, size))
        self._plan()

    def change(self, how: ConnectionParameters) -> None:
        """Take other parameters from the next event on."""
        self.how = how
        self._anchor = asyncio.get_running_loop().time()
        self._events = 0

    def leave(self, controller: Controller) -> None:
        """`controller` has forgotten this connection; the other end will notice."""
        for end in self.ends:
            if end.controller is controller:
                end.here = False
                end.waiting.clear()
        if any(end.here for end in self.ends):
            self.watch()
        else:
            self._end()

    def watch(self) -> None:
        """An end has fallen silent, or is heard again: mind the supervision timeout."""
        if self._heard():
            if self._supervision is not None:
                self._supervision.cancel()
                self._supervision = None
            self._plan()
        elif self._supervision is None:
            self._supervision = self._radio.later(self.how.timeout_s, self.lose)

    def _heard(self) -> bool:
        return all(end.here and not self._radio.is_silent(end.controller) for end in self.ends)

    def _plan(self) -> None:
        """Arrange for the next connection event, if there is a reason for one."""
        if self._event is not None or not any(end.waiting for end in self.ends):
            return
        loop = asyncio.get_running_loop()
        step = self.how.interval_s / self._radio.pace
        # Where the clock stands on an event, rounding could name that one again.
        due = floor((loop.time() - self._anchor) / step)
        self._events = max(due, self._events) + 1
        self._event = loop.call_at(self._anchor + self._events * step, self._happen)

    def _happen(self) -> None:
        """One connection event."""
        self._event = None
        if not self._heard():
            self.watch()  # which plans anew when both are heard again
            return
        air_s = 0.0
        packets = 0
        while any(end.waiting for end in self.ends) and packets < self._radio.packets_an_event:
            fragments = [end.waiting[0].fragment if end.waiting else 0 for end in self.ends]
            air_s += sum(_air_s(size) + INTER_FRAME_S for size in fragments)
            if packets and air_s > self.how.interval_s:
                break
            packets += 1
            if self._rng.random() < self._radio.loss:
                self._unheard_s += self.how.interval_s
                break
            self._unheard_s = 0.0
            for end, size in zip(self.ends, fragments, strict=True):
                if size and end.waiting:
                    self._carry(end, size)
        if self._unheard_s >= self.how.timeout_s:
            self.lose()
        self._plan()

    def _carry(self, end: End, size: int) -> None:
        """Move one fragment; deliver the packet with its last."""
        waiting = end.waiting[0]
        waiting.left -= size
        if waiting.left:
            return
        end.waiting.popleft()
        other = self.ends[1] if end is self.ends[0] else self.ends[0]
        source = end.connection.self_address
        if isinstance(waiting.packet, ll.TerminateInd):
            if other.open:
                other.controller.on_ll_control_pdu(source, waiting.packet)
            self._end()
        elif not other.open:
            return  # it has ended this connection, and what says so is on its way
        elif isinstance(waiting.packet, ll.ControlPdu):
            other.controller.on_ll_control_pdu(source, waiting.packet)
        else:
            other.controller.on_link_acl_data(source, PhysicalTransport.LE, waiting.packet)
            if end.controller.on_carried is not None:
                end.controller.on_carried(waiting.packet)

    def lose(self) -> None:
        """The supervision timeout: each end that is still there gives up."""
        self._end()
        for end in self.ends:
            if end.here and end.open:
                end.controller.on_le_disconnected(
                    end.connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
                )

    def _end(self) -> None:
        for handle in (self._event, self._supervision):
            if handle is not None:
                handle.cancel()
        self._event = self._supervision = None
        for end in self.ends:
            end.waiting.clear()
        self._radio.forget(self)


def connection_parameters(interval_s: float, timeout_s: float | None) -> ConnectionParameters:
    """What a central asks for: an interval in units of 1.25 ms, and a timeout that it allows."""
    low, high = INTERVAL_RANGE_S
    if not low <= interval_s <= high:
        raise ValueError(f"a connection interval is {low} to {high} s, not {interval_s}")
    if timeout_s is None:
        timeout_s = min(max(DEFAULT_TIMEOUT_S, 4 * interval_s), LONGEST_TIMEOUT_S)
    if not 2 * interval_s < timeout_s <= LONGEST_TIMEOUT_S:
        raise ValueError(f"a supervision timeout is over two intervals and up to 32 s: {timeout_s}")
    return ConnectionParameters(round(interval_s / 1.25e-3), 0, round(timeout_s / 10e-3))


def _air_s(payload: int) -> float:
    return (PACKET_HEAD_BYTES + payload) * BYTE_S
