"""Real time on CPython, as MicroPython's own `utime` gives it."""

from time import monotonic_ns, sleep


def ticks_us():
    return monotonic_ns() // 1000


def sleep_ms(ms):
    sleep(ms / 1000)
