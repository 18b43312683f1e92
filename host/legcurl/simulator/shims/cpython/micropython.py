"""MicroPython's `micropython` on CPython: declarations that mean nothing here."""


def const(value):
    return value


def native(function):
    return function


def viper(function):
    return function


def kbd_intr(_character):
    pass
