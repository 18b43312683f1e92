"""What MicroPython's ports do differently, as their sources say (docs/firmware.md)."""

from os import uname

from micropython import const

# ESP-IDF's I2C driver counts timeouts in FreeRTOS ticks of 10 ms and rounds down: with less than
# two of them a read may time out before it has begun (MicroPython 1.29, ESP-IDF 5.5.2 and later).
_ESP32_I2C_US = const(20_000)

# Elsewhere: a read takes 150 µs at 400 kHz. A write and a read that both time out must leave the
# main loop some of the 2500 µs between ticks at the highest rate.
_I2C_US = const(1_000)

_USB_PACKET = const(64)  # of full-speed USB bulk

# A write to an ESP32's console waits, without running timers, until the UART has sent it (115,200
# baud; builds with USB send it to the UART as well): 16 bytes take 1.4 ms, less than a period.
_UART_PIECE = const(16)


def is_esp32():
    """Whether this is the port for ESP32 and its relatives; else it is rp2."""
    return uname()[0] == "esp32"


def i2c_timeout_us():
    """The timeout to give to a bus, in µs."""
    return _ESP32_I2C_US if is_esp32() else _I2C_US


def console_piece():
    """The most bytes for one write to stdout."""
    return _UART_PIECE if is_esp32() else _USB_PACKET
