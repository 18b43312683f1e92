"""Whether a connection breaks because somebody else is at the broker under the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from legcurl.errors import BrokerError, BrokerRefusedError

if TYPE_CHECKING:
    from legcurl.mqtt.connection import Connection

BRIEF_MAX = 3  # connections in a row that broke before they were steady


class Rivals:
    """Notices that somebody else may be at the broker under our name.

    The broker then throws each out for the other, and older ones (Mosquitto 2.0.11) do not say why:
    all there is to see is connections that break as soon as they stand.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._brief = 0

    def judged(self, connection: Connection, error: BrokerError) -> BrokerError:
        """Why a connection is over, with that doubt where there is reason for it."""
        self._brief = 0 if connection.steady else self._brief + 1
        if self._brief < BRIEF_MAX or isinstance(error, BrokerRefusedError):
            return error
        return BrokerError(
            f"{error} It breaks as soon as it stands: is another program there as {self._name!r}?"
        )
