"""A virtual Bluetooth Low Energy radio; docs/virtual-radio.md tells how to use it.

air.py         the radio: connection events, loss, silence, supervision
controller.py  a link controller on it (Bumble's, made faithful)
peripheral.py  a device whose firmware is a MicroPython process
attributes.py  that device's GATT table
central.py     a host's adapter
backend.py     bleak on that adapter
"""

import logging

from legcurl.simulator.radio.air import VirtualRadio
from legcurl.simulator.radio.central import Central
from legcurl.simulator.radio.peripheral import FirmwarePeripheral

__all__ = ["Central", "FirmwarePeripheral", "VirtualRadio"]

# Bumble's remarks about a simulated host are logged on request, not shown on a terminal.
logging.getLogger("bumble").addHandler(logging.NullHandler())
