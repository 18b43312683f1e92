"""Simulated sensors for a bench of many: frames that cost next to nothing, on links in memory."""

from __future__ import annotations

import asyncio
import time

from bench_station_memory import Circle
from fake_sensor import PERIOD_US, FakeSensor, wire_angle
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import FrameType, encode_frame
from legcurl.simulator.world import World
from live_sensor import LiveSensor
from wire_reference import samples_body, uvarint

RATE_HZ = 100
BEGAN_US = 5_000_000  # the sensor's clock when its log begins


class Lifter:
    """A trace that goes round, and the part of each frame that is the same in every round."""

    def __init__(self, seed: int, frame: int) -> None:
        world = World(parse_address(f"sim:?lifter=steady&seed={seed}&sets=2&pace=fast"))
        angles = [wire_angle(degrees) for _, degrees in world.sensor_trace(RATE_HZ)]
        self.frame = frame
        self.angles = angles[: len(angles) // frame * frame]
        head = samples_body(0, 0, PERIOD_US, [0])
        self._rests = [
            samples_body(0, 0, PERIOD_US, self.angles[at : at + frame])[len(head) - 3 :]
            for at in range(0, len(self.angles), frame)
        ]
        self._period = uvarint(PERIOD_US)

    def packet(self, index: int, shift: int) -> bytes:
        """The frame that begins at an index, of a sensor that began `shift` samples later."""
        place = (index + shift) % len(self.angles) // self.frame
        t_us = BEGAN_US + index * PERIOD_US
        body = b"\x04" + uvarint(index) + uvarint(t_us) + self._period + self._rests[place]
        return encode_frame(FrameType.SAMPLES, body)


class GymSensor(FakeSensor):
    """A sensor with a long log, whose frames cost next to nothing."""

    def __init__(self, lifter: Lifter, shift: int, number: int, total: int) -> None:
        rotated = lifter.angles[shift:] + lifter.angles[:shift]
        super().__init__(
            Circle(rotated, total),
            boot_id=1000 + number,
            sensor_id=f"{number:016x}",
            samples_per_frame=lifter.frame,
            time_us=BEGAN_US,
        )
        self._lifter = lifter
        self._shift = shift
        self._packets: dict[int, bytes] = {}

    def prepare(self, seconds: float) -> None:
        """Encode what will be sent before anybody measures."""
        for index in range(0, round(seconds * RATE_HZ), self._lifter.frame):
            self._packets[index] = self._lifter.packet(index, self._shift)

    def samples(self, first: int, end: int) -> bytes:
        """A frame of the stream."""
        return self._packets.get(first) or self._lifter.packet(first, self._shift)


class GymRoute:
    """A cable to one sensor, in memory; `pace` 1 is real time, None as fast as it is read.

    The sensor was `ahead_s` into a frame when it was first connected.
    """

    wired = True
    silence_s = patience_s = 30.0

    def __init__(
        self, name: str, sensor: GymSensor, pace: float | None, ahead_s: float = 0.0
    ) -> None:
        self.name = name
        self.ahead_s = ahead_s
        self.pace = pace
        self.sensor = LiveSensor(sensor)
        self.began_s = 0.0
        self.due_s = 0.0  # when the last frame that was read was there

    async def connect(self) -> GymLink:
        self.began_s = time.monotonic() - self.ahead_s
        self.sensor.clock_us = self._clock_us
        self.sensor.connected()
        return GymLink(self)

    async def close(self) -> None: ...

    def _clock_us(self) -> int:
        return BEGAN_US + round((time.monotonic() - self.began_s) * 1e6)


class GymLink:
    """One connection, which never breaks."""

    def __init__(self, route: GymRoute) -> None:
        self._route = route
        self._log = route.sensor.log
        self._waiter: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        route, loop = self._route, asyncio.get_running_loop()
        waited = False  # others had their turn
        while True:
            if route.sensor.output:
                await asyncio.sleep(0)
                return route.sensor.speak()
            cursor = self._log.cursor
            if cursor is None:
                await self._wait(None)
                continue
            if cursor >= len(self._log.angles):
                return b""
            if route.pace is None:
                await asyncio.sleep(0)
                return route.sensor.speak()
            due_s = route.began_s + (cursor + self._log.samples_per_frame) * PERIOD_US / 1e6
            if due_s <= loop.time():
                route.due_s = due_s
                if not waited:
                    await asyncio.sleep(0)
                return self._log.next_packet() or b""
            await self._wait(due_s)
            waited = True

    async def write(self, packet: bytes) -> None:
        self._route.sensor.hear(packet)
        self._go_on()

    async def close(self) -> None: ...

    async def _wait(self, until_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if until_s is None else loop.call_at(until_s, self._go_on)
        try:
            await self._waiter
        finally:
            if timer is not None:
                timer.cancel()

    def _go_on(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
