"""A small sensor that keeps a log and streams it, and the sets that it sees.

It does what docs/protocol.md says of a sensor, on time that the test moves, with the reference
codec. What a link does to its packets (lose, change, repeat, cut to pieces) is the test's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import wire_reference as wire
from legcurl.events import CatchingUp, Event, SetEnded, as_json
from legcurl.protocol.frame import Frame, FrameDecoder, Samples
from legcurl.session.sensor_session import Item, SensorSession

_T = TypeVar("_T")

PERIOD_US = 10_000
STEP = 16  # wire units of one count of a 12-bit encoder


class FakeSensor:
    """One boot of a sensor. `angles` are what the encoder sees, one a tick."""

    def __init__(
        self,
        angles: Sequence[int],
        *,
        boot_id: int = 77,
        sensor_id: str = "e66058388317812f",
        samples_per_frame: int = 25,
        status: dict[int, int] | None = None,
        calibration: dict[str, int] | None = None,
        time_us: int = 5_000_000,
    ) -> None:
        self.angles = angles
        self.boot_id = boot_id
        self.sensor_id = sensor_id
        self.samples_per_frame = samples_per_frame
        self.status = status or {}  # by index; from there on
        self.calibration = calibration
        self.time_us = time_us  # sensor time of index 0
        self.oldest = 0
        self.cursor: int | None = None

    def boot(self) -> bytes:
        return wire.packet(wire.BOOT, wire.boot_body(self.boot_id))

    def hello(self, request_id: int = 1, **fields: object) -> bytes:
        told = {
            "protocol": [1, 0],
            "firmware": "0.1.0",
            "board": "pico_w",
            "sensor_id": self.sensor_id,
            "boot_id": self.boot_id,
            "boot_reason": "power_on",
            "name": "Leg curl 1",
            "encoder": {"kind": "as5600", "counts": 4096},
            "rate_hz": 100,
            "frame_ms": 250,
            "log": {"first": self.oldest, "next": len(self.angles), "bytes": 98304},
            "time_us": self.time_us,
            "calibration": self.calibration,
            **fields,
        }
        return wire.packet(
            wire.ANSWER, wire.answer_body(request_id, 1, 0, json.dumps(told).encode())
        )

    def start(self, from_index: int = 0, request_id: int = 2) -> bytes:
        """Grant a start: the answer, and the GAP that belongs before the first samples."""
        first = max(from_index, self.oldest)
        self.cursor = first
        payload = wire.start_payload(self.boot_id, first, len(self.angles))
        packets = wire.packet(wire.ANSWER, wire.answer_body(request_id, 2, 0, payload))
        if first > from_index:
            packets += self.gap(from_index, first - from_index, 1)
        return packets

    def gap(self, index: int, count: int, reason: int) -> bytes:
        return wire.packet(wire.GAP, wire.gap_body(index, count, reason))

    def next_packet(self) -> bytes | None:
        """The SAMPLES frame at the cursor; None when all has been sent."""
        assert self.cursor is not None, "nothing has asked for the stream"
        first = self.cursor
        if first >= len(self.angles):
            return None
        end = min(first + self.samples_per_frame, len(self.angles))
        changes = [index for index in self.status if first < index < end]
        end = min(changes, default=end)
        self.cursor = end
        return self.samples(first, end)

    def samples(self, first: int, end: int) -> bytes:
        status = [code for index, code in sorted(self.status.items()) if index <= first]
        body = wire.samples_body(
            first,
            self.time_us + first * PERIOD_US,
            PERIOD_US,
            list(self.angles[first:end]),
            status=status[-1] if status else 0,
        )
        return wire.packet(wire.SAMPLES, body)

    def packets(self, from_index: int = 0) -> list[bytes]:
        """Hello, start, and all samples: what a host sees on a perfect link."""
        listed = [self.hello(), self.start(from_index)]
        while (packet := self.next_packet()) is not None:
            listed.append(packet)
        return listed


def wire_angle(degrees: float, bottom_deg: float = 340.0) -> int:
    """Flexion as a 12-bit encoder sees it, mounted so that the motion crosses its zero."""
    return round((bottom_deg + degrees) / 360 * 4096) % 4096 * STEP


def leg_curls(count: int = 3, rom_deg: float = 100.0, idle_s: float = 30.0) -> list[int]:
    """A set at 100 Hz: three seconds up, three held, four down; then an idle machine."""
    flexion = [0.0] * 400
    for _ in range(count):
        flexion += [rom_deg * _ease(tick / 300) for tick in range(300)]
        flexion += [rom_deg] * 310
        flexion += [rom_deg * _ease(1 - tick / 400) for tick in range(400)]
        flexion += [0.0] * 30
    flexion += [0.0] * round(idle_s * 100)
    return [wire_angle(degrees) for degrees in flexion]


def _ease(fraction: float) -> float:
    return (1 - math.cos(math.pi * fraction)) / 2


def decoded(packets: Iterable[bytes]) -> list[Frame]:
    decoder = FrameDecoder()
    frames = [frame for packet in packets for frame in decoder.push(packet)]
    assert decoder.counts.dropped == 0
    return frames


def told(items: Iterable[Item], session: SensorSession | None = None) -> list[Event]:
    """All events of a session that takes these items and is then finished."""
    session = session or SensorSession()
    events = [event for item in items for event in session.push(item)]
    return events + session.finish()


def lines(events: Iterable[Event]) -> list[str]:
    """What `--json` prints, but for how far behind the host is: that is the link's."""
    return [json.dumps(as_json(event)) for event in not_behind(events)]


def not_behind(events: Iterable[Event]) -> list[Event]:
    """The events that follow from the samples, whenever these came."""
    return [event for event in events if not isinstance(event, CatchingUp)]


def only(kind: type[_T], events: Iterable[Event]) -> list[_T]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def counted(events: Iterable[Event]) -> list[tuple[int, str, bool]]:
    """Sets: completed reps, outcome, whether samples are missing."""
    ended = only(SetEnded, events)
    return [(event.set.completed_reps, event.set.outcome, event.set.incomplete) for event in ended]


def streaming(sensor: FakeSensor) -> SensorSession:
    session = SensorSession()
    for frame in decoded([sensor.hello(), sensor.start()]):
        session.push(frame)
    return session


def run(index: int, angles: list[int], **fields: Any) -> Samples:
    """A frame of the fake sensor's time base."""
    fields = {"t_us": 5_000_000 + index * PERIOD_US, "period_us": PERIOD_US, "status": 0, **fields}
    return Samples(index=index, angles=tuple(angles), **fields)
