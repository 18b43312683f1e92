"""Bumble's device and host, tolerant of what comes too late.

Who cancels a request does not stop the answer that is on its way, and who closes a connection does
not stop the controller's word that it is closed. Bumble takes the first for a broken promise (an
InvalidStateError in a callback) and the second for an error in its log. Neither is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bumble.device import Device
from bumble.host import Host

if TYPE_CHECKING:
    from bumble import hci


class TolerantHost(Host):
    """Drops the answer to a command that has timed out."""

    def on_command_processed(
        self, event: hci.HCI_Command_Complete_Event | hci.HCI_Command_Status_Event
    ) -> None:
        """Take the controller's answer."""
        pending = self.pending_response
        if pending is None or not pending.done():
            super().on_command_processed(event)


class TolerantDevice(Device):
    """Drops the end of a connection that is over, and the answer to a request that is."""

    def on_disconnection(self, connection_handle: int, reason: int) -> None:
        """Take the end of a connection."""
        if connection_handle in self.connections:
            super().on_disconnection(connection_handle, reason)

    # Bumble's decorator turns the handle into the connection, which its types do not say.
    def on_gatt_pdu(self, connection_handle: int, pdu: bytes) -> None:  # pyright: ignore
        """Take an attribute request, or the answer to one."""
        connection = self.connections.get(connection_handle)
        client = None if connection is None else connection.gatt_client
        pending = None if client is None else client.pending_response
        response = pdu[0] & 1 and pdu[0] not in UNASKED
        if not (response and pending is not None and pending.done()):
            super().on_gatt_pdu(connection_handle, pdu)  # pyright: ignore[reportArgumentType]


UNASKED = (0x1B, 0x1D, 0x23)
"""Odd ATT opcodes that answer nothing: notification, indication, several notifications."""
