"""Health: the watchdog, the magnet's figures, a dead bus, the heap; and what the light shows."""

import json

import machine
import sensor.health as health
import sensor.light as light
from sensor.light import CONNECTED, FAULT, IDENTIFY, SEARCHING, STREAMING, Light
from simclock import clock
from whole_sensor import IDENTIFY as IDENTIFY_OP
from whole_sensor import STATISTICS, STOP, Sensor

STATES = (SEARCHING, CONNECTED, STREAMING, FAULT, IDENTIFY)
STEP_MS = 100


class Lamp:
    """A pin, and when it was set to what."""

    OUT = 1

    def __init__(self, pin, mode, value=0):
        self.told = [(0, value)]

    def __call__(self, level):
        self.told.append((clock.now // 1000, level))

    def levels(self, begin_ms, end_ms, step_ms=20):
        """Its level every so often."""
        levels = []
        for at in range(begin_ms, end_ms, step_ms):
            levels.append([level for told, level in self.told if told <= at][-1])
        return levels


class Pixels:
    """WS2812 lights, and what was shown."""

    made = None

    def __init__(self, pin, n):
        assert n == 1
        self.pin = pin
        self.colour = (0, 0, 0)
        self.shown = [self.colour]
        Pixels.made = self

    def __setitem__(self, index, colour):
        self.colour = colour

    def write(self):
        self.shown.append(self.colour)


def lamp_on(target):
    """Open a light on a lamp."""
    light.Pin = Lamp
    try:
        target.open({"pin": "LED"})
    finally:
        light.Pin = machine.Pin
    return target._pin


def rhythm(state):
    """How a state looks over two seconds, a character every 50 ms."""
    target = Light()
    lamp = lamp_on(target)
    looks = ""
    for now_ms in range(0, 2000, 50):
        target.show(state, now_ms)
        looks += "#" if lamp.told[-1][1] else "."
    return looks


def test_each_state_has_the_rhythm_that_is_documented():
    assert rhythm(SEARCHING) == "##" + "." * 38
    assert rhythm(CONNECTED) == "##....##" + "." * 32
    assert rhythm(STREAMING) == "#" * 40
    assert rhythm(FAULT) == ("#" * 10 + "." * 10) * 2
    assert rhythm(IDENTIFY) == "..##" * 10


def test_rhythms_differ_from_any_moment():
    for one in STATES:
        for other in STATES:
            if one != other:
                turned = rhythm(one)
                for at in range(len(turned)):
                    assert turned[at:] + turned[:at] != rhythm(other), (one, other)


def test_a_coloured_light_keeps_the_rhythms_and_has_a_colour_a_state():
    import neopixel

    real = neopixel.NeoPixel
    neopixel.NeoPixel = Pixels
    try:
        colours = []
        for state in STATES:
            target = Light()
            target.open({"neopixel": 48})
            looks = ""
            for now_ms in range(0, 2000, 50):
                target.show(state, now_ms)
                looks += "." if Pixels.made.shown[-1] == (0, 0, 0) else "#"
            assert looks == rhythm(state)
            colours.append(next(colour for colour in Pixels.made.shown if colour != (0, 0, 0)))
        # Identify is white as connected is, and told from it by being fast.
        assert len(set(colours[:4])) == 4
        assert max(max(colour) for colour in colours) < 64
    finally:
        neopixel.NeoPixel = real


def test_a_light_is_written_to_only_when_it_changes():
    target = Light()
    lamp = lamp_on(target)
    for now_ms in range(0, 20_000, 5):
        target.show(STREAMING, now_ms)
    assert len(lamp.told) == 2


def test_a_board_without_a_light_shows_nothing():
    target = Light()
    target.open(None)
    target.show(FAULT, 0)


def test_the_light_goes_from_searching_to_connected_to_streaming_and_back():
    sensor = Sensor()
    lamp = lamp_on(sensor.light)
    sensor.run(4000)
    assert 7 <= sum(lamp.levels(0, 4000)) <= 13  # two flashes of 100 ms, looked at every 20
    sensor.ask(STATISTICS)
    begin = clock.now // 1000
    sensor.run(4000)
    assert 15 <= sum(lamp.levels(begin, begin + 4000)) <= 25  # four
    sensor.start(0)
    begin = clock.now // 1000
    sensor.run(2000)
    assert min(lamp.levels(begin, begin + 2000)) == 1
    sensor.ask(STOP)
    sensor.run(10_000)
    begin = clock.now // 1000
    sensor.run(4000)
    assert 7 <= sum(lamp.levels(begin, begin + 4000)) <= 13


def test_the_light_shows_identify_before_a_fault_before_a_stream():
    sensor = Sensor()
    lamp = lamp_on(sensor.light)
    sensor.start(0)
    sensor.encoder.status = 1
    sensor.run(2000)
    levels = lamp.levels(clock.now // 1000 - 1000, clock.now // 1000)
    assert 22 <= sum(levels) <= 28
    sensor.ask(IDENTIFY_OP, b"\2")
    before = len(lamp.told)
    sensor.run(1900)
    assert 17 <= len(lamp.told) - before <= 20
    sensor.encoder.status = 0
    sensor.run(1000)
    assert min(lamp.levels(clock.now // 1000 - 500, clock.now // 1000)) == 1


def test_the_light_goes_dark_at_the_request():
    """So that a film of the light shows the moment of the request."""
    sensor = Sensor()
    lamp = lamp_on(sensor.light)
    sensor.start(0)
    for pause_ms in (1000, 1033, 1077):
        sensor.run(pause_ms + 1000)
        asked_ms = clock.now // 1000
        sensor.ask(IDENTIFY_OP, b"\1")
        sensor.run(1000)
        dark_ms = next(at for at, level in lamp.told if at >= asked_ms and level == 0)
        assert dark_ms - asked_ms <= 20


def test_the_watchdog_is_fed_by_the_main_loop_alone():
    fed = []

    class Dog:
        def __init__(self, timeout):
            assert timeout == 8000

        def feed(self):
            fed.append(clock.now)

    sensor = Sensor()
    health.WDT = Dog
    try:
        sensor.watchdog.start(8000)
    finally:
        health.WDT = machine.WDT
    sensor.run(1000)
    assert len(fed) >= 150


def test_a_dead_bus_is_recovered_again_and_again():
    tried = []
    sensor = Sensor()
    sensor.encoder.status = 8
    sensor.encoder.recover = lambda: tried.append(clock.now)
    sensor.run(1100)
    assert 4 <= len(tried) <= 5
    sensor.encoder.status = 0
    sensor.run(1000)
    assert len(tried) <= 6


def test_the_magnets_figures_are_asked_for_once_a_second_and_told():
    sensor = Sensor()
    sensor.run(10_000)
    assert 10 <= sensor.encoder.looks <= 11
    statistics = json.loads(sensor.ask(STATISTICS)[1])
    assert (statistics["agc"], statistics["magnitude"]) == (None, None)
    sensor.encoder.agc = 77
    sensor.encoder.magnitude = 2210
    statistics = json.loads(sensor.ask(STATISTICS)[1])
    assert (statistics["agc"], statistics["magnitude"]) == (77, 2210)


def test_the_longest_collection_is_told():
    sensor = Sensor()

    class Heap:
        def collect(self):
            clock.sleep(3000)

        def mem_free(self):
            return 1

    real = health.gc
    health.gc = Heap()
    try:
        sensor.run(12_000)
        statistics = json.loads(sensor.ask(STATISTICS)[1])
    finally:
        health.gc = real
    assert statistics["collect_max_us"] == 3000
    assert statistics["free_heap"] == 1
    assert statistics["loop_max_us"] >= 3000
    assert statistics["missed_ticks"] == 0
