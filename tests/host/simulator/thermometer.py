# A MicroPython program that knows nothing of legcurl: docs/virtual-radio.md shows it.
import time

import bluetooth

TEMPERATURE = bluetooth.UUID(0x2A6E)
SENSING = bluetooth.UUID(0x181A)
CONNECT, DISCONNECT = 1, 2

ble = bluetooth.BLE()
ble.active(True)
((handle,),) = ble.gatts_register_services(
    ((SENSING, ((TEMPERATURE, bluetooth.FLAG_READ | bluetooth.FLAG_NOTIFY),)),)
)
centrals = set()


def on_event(event, detail):
    if event == CONNECT:
        centrals.add(detail[0])
    elif event == DISCONNECT:
        centrals.discard(detail[0])
        advertise()


def advertise():
    ble.gap_advertise(100_000, b"\x02\x01\x06\x03\x03\x1a\x18", resp_data=b"\x05\x09warm")


ble.irq(on_event)
advertise()
hundredths = 2000
while True:
    time.sleep_ms(50)
    hundredths += 1
    value = hundredths.to_bytes(2, "little")
    ble.gatts_write(handle, value)
    for central in centrals:
        try:  # noqa: SIM105 - MicroPython
            ble.gatts_notify(central, handle, value)
        except OSError:
            pass  # it has just gone, or the buffers are full
