"""The link controller of a virtual radio: Bumble's, and what a faithful radio needs beyond it.

Bumble's own controller (0.0.236) is made for tests of Bumble. What is different here, since hosts
and firmware notice it:

- Advertising follows its parameters: the interval in units of 0.625 ms, the scan response in a
  packet of its own and only to an active scanner, non-connectable advertising seen and not
  connectable. (Bumble sends the advertisement again as the scan response, and nothing at all
  where it is not connectable.)
- Both ends are told the connection's true parameters, and follow their updates.
- A connection comes about only if the peripheral was still there to take it, and a connection
  request can be cancelled. (Bumble leaves it pending for ever.)
- Data carries the address of its connection, not the controller's random address, which is
  another one where the host is Linux.
- A reset ends everything that was going on, and a host that resets leaves its peers in silence.

It advertises and scans in the legacy way only, as the boards do. Nor has it link layer privacy:
Linux would wait, of a controller that has, for an Enhanced Connection Complete, which Bumble does
not send, and hold every other command back until it gave up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bumble import hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

LL_PAYLOAD_BYTES = 251  # with the data length extension, which all our boards have
ADVERTISING_UNIT_S = 0.625e-3
SHORTEST_REAL_INTERVAL_S = 0.02  # however fast the radio's clock runs: each costs real work
RSSI_DBM = -50  # of everybody everywhere: this radio has no distances

# Core 5.4, volume 4, part E, 7.8.5 and 7.8.10: kinds of advertising, and of scanning.
CONNECTABLE_SCANNABLE = 0x00
SCANNABLE = 0x02
NEITHER = 0x03
ACTIVE = 0x01

Reports = hci.HCI_LE_Advertising_Report_Event
REPORTED = {  # by kind of advertising; directed advertising is not delivered here
    CONNECTABLE_SCANNABLE: Reports.EventType.ADV_IND,
    SCANNABLE: Reports.EventType.ADV_SCAN_IND,
    NEITHER: Reports.EventType.ADV_NONCONN_IND,
}


@dataclass
class Advertisement(ll.AdvInd):
    """An advertising event, with what the advertiser would answer to a scan request."""

    advertising_type: int
    scan_response: bytes

    @property
    def connectable(self) -> bool:
        """Whether a connection request is listened to."""
        return self.advertising_type == CONNECTABLE_SCANNABLE

    @property
    def scannable(self) -> bool:
        """Whether there is a scan response."""
        return self.advertising_type in (CONNECTABLE_SCANNABLE, SCANNABLE)


@dataclass(frozen=True, slots=True)
class ConnectionParameters:
    """In the units of HCI: 1.25 ms, connection events, 10 ms."""

    interval: int
    latency: int
    timeout: int

    @property
    def interval_s(self) -> float:
        """From one connection event to the next."""
        return self.interval * 1.25e-3

    @property
    def timeout_s(self) -> float:
        """The silence after which a connection is lost."""
        return self.timeout * 10e-3


class Radio(LocalLink):
    """The part of a radio that its controllers use; air.py has the radio."""

    pace: float  # simulated seconds in a second

    def connect(
        self,
        central: VirtualController,
        own: hci.Address,
        peer: hci.Address,
        how: ConnectionParameters,
    ) -> bool:
        """Form a connection; False if no advertiser of `peer` takes it."""
        raise NotImplementedError

    def update(self, one: hci.Address, other: hci.Address, how: ConnectionParameters) -> None:
        """Change the parameters of a connection, at both ends."""
        raise NotImplementedError

    def abandon(self, controller: VirtualController) -> None:
        """Leave the connections of a controller without power, or after its reset, to time out."""
        raise NotImplementedError


class Advertiser(LegacyAdvertiser):
    """Advertises as its parameters say."""

    def __init__(self, controller: VirtualController, radio: Radio) -> None:
        super().__init__(controller)
        self._radio = radio

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval_s = self.advertising_interval_min * ADVERTISING_UNIT_S
        self.timer_handle = asyncio.get_running_loop().call_later(
            max(interval_s / self._radio.pace, SHORTEST_REAL_INTERVAL_S), self._on_timer_fired
        )

    def send_advertising_data(self) -> None:
        """One advertising event."""
        if self.enabled and self.advertising_type in REPORTED:
            self.controller.send_advertising_pdu(
                Advertisement(
                    self.address,
                    bytes(self.advertising_data),
                    self.advertising_type,
                    bytes(self.scan_response_data),
                )
            )


class VirtualController(Controller):
    """A controller on a radio; its host is any Bumble host, or a kernel behind a vhci."""

    le_features = Controller.le_features & ~(
        hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
        | hci.LeFeatureMask.LL_PRIVACY
    )
    le_acl_data_packet_length = LL_PAYLOAD_BYTES
    supported_max_tx_octets = LL_PAYLOAD_BYTES
    supported_max_rx_octets = LL_PAYLOAD_BYTES
    suggested_max_tx_octets = LL_PAYLOAD_BYTES

    def __init__(
        self,
        name: str,
        radio: Radio,
        public_address: str,
        host_source: Any = None,
        host_sink: Any = None,
    ) -> None:
        super().__init__(name, host_source, host_sink, radio, public_address)
        self.radio = radio
        self.random_address = hci.Address.generate_static_address()
        self.le_legacy_advertiser = Advertiser(self, radio)
        self.parameters: dict[int, ConnectionParameters] = {}  # of connections, by handle
        self.on_carried: Callable[[bytes], None] | None = None  # a packet of ours has arrived

    def detach(self) -> None:
        """Leave the radio without a word; peers find out by the supervision timeout."""
        self._drop_everything()
        self.radio.remove_controller(self)

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Pass it on. A host may not know yet that the connection has gone: no error."""
        if self.find_connection_by_handle(packet.connection_handle) is not None:
            super().on_hci_acl_data_packet(packet)

    def on_ll_advertising_pdu(self, packet: ll.AdvertisingPdu) -> None:
        """Report it to a host that scans; connect, if that is what the host waits for."""
        if not isinstance(packet, Advertisement):
            return
        if self.le_scan_enable:
            self._report(packet)
        pending = self.pending_le_connection
        if (
            pending is not None
            and packet.connectable
            and pending.peer_address == packet.advertiser_address
            and pending.peer_address not in self.le_connections
        ):
            self._connect(pending)

    def accept(
        self, address: hci.Address, central: hci.Address, how: ConnectionParameters
    ) -> Connection | None:
        """Take a connection request for `address`; None if no advertiser is there any more."""
        advertiser = self.le_legacy_advertiser
        if not (
            advertiser.enabled
            and advertiser.address == address
            and advertiser.advertising_type == CONNECTABLE_SCANNABLE
        ):
            return None
        advertiser.stop()
        return self.add_connection(hci.Role.PERIPHERAL, address, central, how)

    def add_connection(
        self, role: hci.Role, own: hci.Address, peer: hci.Address, how: ConnectionParameters
    ) -> Connection:
        """There is a connection now: tell the host."""
        connection = Connection(
            controller=self,
            handle=self.allocate_connection_handle(),
            role=role,
            self_address=own,
            peer_address=peer,
            link=self.radio,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
        )
        self.le_connections[peer] = connection
        self.parameters[connection.handle] = how
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.SUCCESS,
                connection_handle=connection.handle,
                role=role,
                peer_address_type=peer.address_type,
                peer_address=peer,
                connection_interval=how.interval,
                peripheral_latency=how.latency,
                supervision_timeout=how.timeout,
                central_clock_accuracy=0,
            )
        )
        return connection

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """Tell the host, once."""
        if self.le_connections.get(connection.peer_address) is connection:
            self.parameters.pop(connection.handle, None)
            super().on_le_disconnected(connection, reason)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core 5.4, volume 4, part E, 7.8.13: it ends in a Connection Complete all the same."""
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        event = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, event)  # after the status
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_le_connection_update_command(
        self, command: hci.HCI_LE_Connection_Update_Command
    ) -> None:
        """As Bumble does it, but the radio follows."""
        super().on_hci_le_connection_update_command(command)
        if connection := self.find_le_connection_by_handle(command.connection_handle):
            self.radio.update(
                connection.self_address,
                connection.peer_address,
                ConnectionParameters(
                    command.connection_interval_max,
                    command.max_latency,
                    command.supervision_timeout,
                ),
            )

    def on_hci_reset_command(
        self, _command: hci.HCI_Reset_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core 5.4, volume 4, part E, 7.3.2: idle, and nothing is said to anybody."""
        self._drop_everything()
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def _drop_everything(self) -> None:
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None
        self.radio.abandon(self)
        self.le_connections.clear()
        self.parameters.clear()

    def _connect(self, pending: Any) -> None:
        """Answer the advertisement that just came with a connection request."""
        how = ConnectionParameters(
            pending.connection_interval_max, pending.max_latency, pending.supervision_timeout
        )
        public = pending.own_address_type == hci.OwnAddressType.PUBLIC
        own = self.public_address if public else self.random_address
        if self.radio.connect(self, own, pending.peer_address, how):
            self.pending_le_connection = None

    def _report(self, packet: Advertisement) -> None:
        kind = REPORTED[packet.advertising_type]
        self._send_report(kind, packet.advertiser_address, packet.data)
        if self.le_scan_type == ACTIVE and packet.scannable:
            self._send_report(
                Reports.EventType.SCAN_RSP, packet.advertiser_address, packet.scan_response
            )

    def _send_report(self, kind: Reports.EventType, address: hci.Address, payload: bytes) -> None:
        report = Reports.Report(
            event_type=kind,
            address_type=address.address_type,
            address=address,
            data=payload,
            rssi=RSSI_DBM,
        )
        self.send_hci_packet(Reports([report]))
