"""MicroPython's `gc` on CPython, which has no heap to tell of."""

from gc import collect  # noqa: F401 - re-exported


def mem_free():
    return 0
