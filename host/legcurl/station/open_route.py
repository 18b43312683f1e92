"""Ways to a sensor: each takes bytes and gives bytes; none looks inside.

A `Route` knows how to get to one sensor, again and again; a `Link` is one connection that it
made. A wired link has no buffer of its own: bytes that nobody reads stay where they are, the
sensor finds its output full and keeps its place in its log. Bluetooth pushes its bytes, so there
a link has a buffer with a limit, leaves out what does not fit, and it is asked for again. Either
way a slow host costs neither memory nor samples.

What outlives a connection (a simulated sensor's processes) belongs to the route. Everything else
about talking to a sensor, from framing upwards, is the same for all routes (request_client.py,
station.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legcurl.links.address import LiveAddress
    from legcurl.links.route import Route


def route_to(address: LiveAddress) -> Route:
    """Give the route that an address names; nothing is opened yet."""
    from legcurl.links.address import BleAddress, SerialAddress, TcpAddress

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
