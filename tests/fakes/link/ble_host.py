"""A host on bleak, as plain as can be: requests, and the log in order, over a virtual radio.

It knows nothing of legcurl's own link, so that the two do not share a mistake.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import Answer, FrameDecoder, Gap, Samples, encode_request
from legcurl.protocol.requests import Op, Result, start_request
from legcurl.session.log_assembler import LogAssembler
from legcurl.simulator.radio import Central
from legcurl.simulator.runner import Engine, SimulatedSensor
from timings import LIMIT_S

SERVICE, SAMPLES, REQUESTS, ANSWERS, INFO = (
    f"4c65{number:04x}-6763-4572-8c00-a7d3c5e91b42" for number in range(1, 6)
)
COMPANY = 0xFFFF
LONGEST_VALUE = 512  # of an attribute


class BleHost:
    """One connection of one host. Frames of the log are put in order in `log`."""

    def __init__(self, central: Central, log: LogAssembler | None = None) -> None:
        self.central = central
        self.log = log or LogAssembler()
        self.received: list[Samples | Gap] = []
        self.lost = asyncio.Event()
        self.largest_piece = 0
        self._client: BleakClient | None = None
        self._answers: asyncio.Queue[Answer] = asyncio.Queue()
        self._decoders = {SAMPLES: FrameDecoder(), ANSWERS: FrameDecoder()}
        self._request_id = 0

    @property
    def client(self) -> BleakClient:
        """Bleak's own."""
        assert self._client is not None
        return self._client

    @property
    def damaged(self) -> int:
        """Frames that were no frames."""
        return sum(decoder.counts.dropped for decoder in self._decoders.values())

    async def connect(self, address: str, timeout_s: float = LIMIT_S) -> BleHost:
        device = await BleakScanner.find_device_by_address(
            address, timeout=timeout_s, backend=self.central.scanner_backend
        )
        assert device is not None, "the sensor is not on the air"
        self._client = BleakClient(
            device,
            timeout=timeout_s,
            disconnected_callback=lambda _: self.lost.set(),
            backend=self.central.client_backend,
        )
        await self._client.connect()
        await self._client.start_notify(SAMPLES, lambda _, piece: self._take(SAMPLES, piece))
        await self._client.start_notify(ANSWERS, lambda _, piece: self._take(ANSWERS, piece))
        return self

    async def disconnect(self) -> None:
        await self.client.disconnect()

    async def ask(self, op: Op, payload: bytes = b"") -> Answer:
        """The answer to a request, which goes in pieces of the MTU."""
        self._request_id = (self._request_id + 1) % 256
        await self.send(encode_request(self._request_id, op, payload))
        async with asyncio.timeout(LIMIT_S):
            while True:
                answer = await self._answers.get()
                if answer.id == self._request_id:
                    return answer

    async def send(self, packet: bytes) -> None:
        room = min(self.client.mtu_size - 3, LONGEST_VALUE)
        for at in range(0, len(packet), room):
            await self.client.write_gatt_char(REQUESTS, packet[at : at + room], response=True)

    async def hello(self) -> dict[str, Any]:
        return json.loads((await self.ask(Op.HELLO, b"\x01\x01")).payload)

    async def ble_figures(self) -> dict[str, Any]:
        return json.loads((await self.ask(Op.STATISTICS)).payload)["ble"]

    async def start(self, boot_id: int = 0) -> None:
        """Stream from where the log that was received ends."""
        self._request_id = (self._request_id + 1) % 256
        await self.send(start_request(self._request_id, boot_id, self.log.expected or 0))
        async with asyncio.timeout(LIMIT_S):
            answer = await self._answers.get()
        assert answer.result == Result.OK

    async def samples_until(self, index: int, timeout_s: float = LIMIT_S) -> None:
        """Wait until the log is known up to `index`."""
        async with asyncio.timeout(timeout_s):
            while (self.log.expected or 0) < index:
                await asyncio.sleep(0.01)

    def _take(self, characteristic: str, piece: bytearray) -> None:
        self.largest_piece = max(self.largest_piece, len(piece))
        for frame in self._decoders[characteristic].push(bytes(piece)):
            if isinstance(frame, Answer):
                assert characteristic == ANSWERS
                if frame.op == Op.START:
                    self.log.started(int.from_bytes(frame.payload[4:12], "little"))
                self._answers.put_nowait(frame)
            elif isinstance(frame, Samples | Gap):
                assert characteristic == SAMPLES
                self.received += self.log.push(frame)


@asynccontextmanager
async def sensor_on_air(
    address: str, engine: Engine | None = None
) -> AsyncIterator[SimulatedSensor]:
    """A simulated sensor with a radio; what it has complained of is an error."""
    async with SimulatedSensor(parse_address(address), engine=engine) as sensor:
        assert sensor.radio is not None
        yield sensor
        if sensor.finished:
            sensor.raise_failure()


def address_of(sensor: SimulatedSensor) -> str:
    assert sensor.radio is not None
    return sensor.radio.address


async def connected(sensor: SimulatedSensor, log: LogAssembler | None = None) -> BleHost:
    """A host that has just connected."""
    assert sensor.radio is not None
    return await BleHost(sensor.radio.central, log).connect(sensor.radio.address)


async def advertised(
    scanner: type[BaseBleakScanner], address: str, *, until: Any = lambda _: True
) -> AdvertisementData:
    """What is advertised under that address, once it is as it should be."""
    heard: asyncio.Queue[AdvertisementData] = asyncio.Queue()

    def hear(device: Any, advertisement: AdvertisementData) -> None:
        if device.address == address:
            heard.put_nowait(advertisement)

    async with BleakScanner(hear, backend=scanner), asyncio.timeout(LIMIT_S):
        while not until(advertisement := await heard.get()):
            pass
        return advertisement
