"""Finds out whether another client with the same name causes a connection to break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from legcurl.errors import BrokerError, BrokerRefusedError

if TYPE_CHECKING:
    from legcurl.mqtt.connection import Connection

BRIEF_MAX = 3  # connections in a row that broke before they were steady


class DuplicateClient:
    """Suspects another client with our name after BRIEF_MAX brief connections in a row.

    The broker disconnects each client when the other connects. Older brokers (Mosquitto 2.0.11)
    give no reason for it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._brief = 0

    def explained(self, connection: Connection, error: BrokerError) -> BrokerError:
        """The error of a lost connection, with the suspicion if there is one."""
        self._brief = 0 if connection.steady else self._brief + 1
        if self._brief < BRIEF_MAX or isinstance(error, BrokerRefusedError):
            return error
        return BrokerError(
            f"{error} It breaks as soon as it stands: is another program there as {self._name!r}?"
        )
