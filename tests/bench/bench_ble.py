"""What the link of Bluetooth carries and how late it is, by connection interval.

The real firmware on the VM, the virtual radio in real time (six packets of the link layer in an
event, no loss), bleak, and our link. Throughput is that of catching up with a log; latency is from
the moment at which the last sample of a frame was read to the moment at which the host has it, so
a frame's own 250 ms are not in it. The sensor's clock is read over its cable, in between.

The baseline is the cable: the same sensor and the same measure, through a pseudo-terminal.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import monotonic

from legcurl.concurrency import until_first
from legcurl.links.address import BleAddress, SerialAddress
from legcurl.links.ble.link import BleRoute
from legcurl.links.route import Link, Route
from legcurl.links.serial import SerialRoute
from legcurl.links.sim_address import SimOptions
from legcurl.protocol.frame import Samples
from legcurl.protocol.requests import OLDEST, Op, Pong, ping_request, read_ping, start_request
from legcurl.simulator.runner import SimulatedSensor
from legcurl.station.request_client import RequestClient

INTERVALS_MS = (7.5, 30.0, 100.0)
RATE_HZ = 100.0
LOG_S = 20.0  # that is behind when the host comes
LIVE_S = 10.0
PINGS = 30


@dataclass
class Heard:
    """What came, and when."""

    frames: list[tuple[float, Samples]] = field(default_factory=list)
    octets: int = 0


class Counted:
    """A link whose bytes are counted."""

    def __init__(self, link: Link, heard: Heard) -> None:
        self._link = link
        self._heard = heard
        self.write, self.close = link.write, link.close

    async def read(self) -> bytes:
        chunk = await self._link.read()
        self._heard.octets += len(chunk)
        return chunk


async def converse(link: Link, heard: Heard, talk) -> None:
    """Receive while `talk(client)` talks."""
    client = RequestClient(link, name="bench", patience_s=10.0)

    async def receive() -> None:
        while (frames := await client.receive()) is not None:
            now_s = monotonic()
            heard.frames += [(now_s, frame) for frame in frames if isinstance(frame, Samples)]

    await until_first(receive(), talk(client))


async def clock_offset_s(sensor: SimulatedSensor) -> float:
    """Our clock minus the sensor's: from the quickest of some pings over the cable."""
    link = await SerialRoute(SerialAddress(sensor.port)).connect()
    rounds: list[tuple[float, float]] = []

    async def talk(client: RequestClient) -> None:
        for token in range(PINGS):
            sent_s = monotonic()
            answer = await client.granted(
                Op.PING, lambda number, token=token: ping_request(number, token)
            )
            back_s = monotonic()
            pong: Pong = read_ping(answer)
            rounds.append((back_s - sent_s, (sent_s + back_s) / 2 - pong.time_us / 1e6))
            await asyncio.sleep(0.02)

    await converse(link, Heard(), talk)
    await link.close()
    return min(rounds)[1]


def route_to(sensor: SimulatedSensor) -> Route:
    """By radio, if it has one."""
    if sensor.radio is None:
        return SerialRoute(SerialAddress(sensor.port))
    return BleRoute(
        BleAddress(sensor.radio.address),
        scanner=sensor.radio.scanner_backend,
        client=sensor.radio.client_backend,
    )


async def measure(name: str, options: SimOptions) -> str:
    """A line of the table."""
    heard = Heard()
    async with SimulatedSensor(options) as sensor:
        await asyncio.sleep(LOG_S)
        route = route_to(sensor)
        began_s = monotonic()
        link = Counted(await route.connect(), heard)
        connected_s = monotonic() - began_s
        caught_up: list[tuple[float, int, int]] = []

        async def talk(client: RequestClient) -> None:
            hello = await client.greet()
            before, began_s = heard.octets, monotonic()
            await client.granted(Op.START, lambda number: start_request(number, 0, OLDEST))
            while not heard.frames or heard.frames[-1][1].index < hello.next - 30:
                await asyncio.sleep(0.005)
            caught_up.append((monotonic() - began_s, hello.next, heard.octets - before))
            await asyncio.sleep(1.0)
            heard.frames.clear()
            await asyncio.sleep(LIVE_S)

        await converse(link, heard, talk)
        if sensor.radio is None:  # the cable is one, and takes one host
            await link.close()
        offset_s = await clock_offset_s(sensor)
        await link.close()
    late_ms = [
        1000 * (came_s - offset_s) - (run.t_us + (len(run.angles) - 1) * run.period_us) / 1000
        for came_s, run in heard.frames
    ]
    took_s, samples, octets = caught_up[0]
    return (
        f"{name:>9} {connected_s:11.2f} s {samples / took_s:12.0f} samples/s "
        f"{octets / took_s / 1000:6.1f} kB/s {median(late_ms):10.1f} ms "
        f"{quantiles(late_ms, n=20)[-1]:8.1f} ms"
    )


async def main() -> None:
    print("  interval     connected                 catching up   latency median      95 %")
    print(await measure("cable", SimOptions(rate=RATE_HZ, sets=10)), flush=True)
    for interval_ms in INTERVALS_MS:
        options = SimOptions(rate=RATE_HZ, interval_ms=interval_ms, link="ble", sets=10)
        print(await measure(f"{interval_ms:g} ms", options), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
