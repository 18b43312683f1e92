"""The route of an address; its modules are imported only when they are needed."""

from __future__ import annotations

from legcurl.links.address import BleAddress, LiveAddress, SerialAddress, TcpAddress
from legcurl.links.route import Route


def route_to(address: LiveAddress) -> Route:
    """Give the route that an address names; nothing is opened yet."""
    if isinstance(address, SerialAddress):
        from legcurl.links.serial import SerialRoute

        return SerialRoute(address)
    if isinstance(address, BleAddress):
        from legcurl.links.ble.link import BleRoute

        return BleRoute(address)
    if isinstance(address, TcpAddress):
        from legcurl.links.tcp import TcpRoute

        return TcpRoute(address)
    from legcurl.simulator.route import SimulatedRoute

    return SimulatedRoute(address)
