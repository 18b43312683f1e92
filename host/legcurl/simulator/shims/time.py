"""`time` of the simulated board: virtual time."""

from simclock import TICKS_HALF, TICKS_WRAP, clock

ticks_us = clock.ticks_us


def ticks_ms():
    return (clock.now - clock.booted) // 1000 % TICKS_WRAP


def ticks_add(ticks, delta):
    return (ticks + delta) % TICKS_WRAP


def ticks_diff(later, earlier):
    return (later - earlier + TICKS_HALF) % TICKS_WRAP - TICKS_HALF


def sleep_us(us):
    clock.sleep(us)


def sleep_ms(ms):
    clock.sleep(1000 * ms)


def sleep(s):
    clock.sleep(int(1_000_000 * s))


def time():
    return (clock.now - clock.booted) // 1_000_000


def time_ns():
    return (clock.now - clock.booted) * 1000
