"""Every error that legcurl raises on purpose, and the exit code that a command ends with.

LegCurlError                    anything of ours; the message names the remedy
├── LinkError (ConnectionError) the way to the sensor: no such port, busy, unplugged
│   ├── PortNotFoundError       "serial:/dev/ttyACM9" names no device
│   ├── PortBusyError           another program has the port open
│   ├── PortPermissionError     the user may not open the device file
│   ├── AdapterError            this computer's Bluetooth cannot be used
│   │   ├── BluetoothMissingError     the extra `ble` is not installed
│   │   ├── AdapterNotFoundError      no adapter, or none of that name
│   │   ├── AdapterOffError           switched off, or blocked by rfkill
│   │   ├── AdapterPermissionError    the user, or this program, may not use it
│   │   └── BluetoothServiceError     bluetoothd or D-Bus does not answer
│   ├── SensorNotFoundError     no such sensor advertises within range
│   ├── SensorAmbiguousError    several sensors go by what was asked for
│   ├── SensorInUseError        it has another host, and serves one at a time
│   ├── SensorUnreachableError  it advertises, but no connection comes about
│   ├── LinkLostError           the cable was pulled or the peer went away
│   └── BrokerError             the MQTT broker is away, hangs, or is none
│       └── BrokerRefusedError        it answered, and refuses: a password, a topic, a size
├── FrameError                  bytes that do not follow docs/protocol.md
├── SensorError                 a device answered, and cannot be used as it is
│   ├── NotASensorError         it speaks, but not our protocol
│   │   └── ServiceMissingError       a Bluetooth device without our service
│   ├── UntrustedSensorError    it has not shown that it has the key we have for it
│   │   ├── WrongKeyError             it says that it has another key, or none
│   │   └── ImpostorError             it says that it has the key, and cannot prove it
│   ├── ProtocolVersionError    it speaks a protocol newer than this host
│   └── RequestRefusedError     it answered a request with an error
├── SensorFault                 the encoder cannot see its magnet, or the bus fails
├── CalibrationError            a calibrated range that cannot be one
├── InputError                  a file that cannot be read as what it should be
│   └── NoSuchRecordError       the store has no set, client or machine of that id
├── ConfigError                 an invalid address, option or setting
└── StoreError                  a set could not be written or read back

Raise the child that a caller may want to catch; write the message for the person who reads it:
what was wrong, where, and what to do next.
"""

from __future__ import annotations


class LegCurlError(Exception):
    """Base of the tree. `exit_code` is what a command that dies of it returns."""

    exit_code = 1


class LinkError(LegCurlError, ConnectionError):
    """The way to the sensor cannot be opened or broke."""

    exit_code = 3


class PortNotFoundError(LinkError):
    """No device of that name: unplugged, or another number since the last plug-in."""


class PortBusyError(LinkError):
    """The device is open elsewhere, for example in a serial monitor."""


class PortPermissionError(LinkError):
    """The device file exists and this user may not open it."""

    exit_code = 4


class AdapterError(LinkError):
    """Bluetooth on this computer cannot be used as it is."""


class BluetoothMissingError(AdapterError):
    """bleak is not installed: it comes with the extra `ble`."""


class AdapterNotFoundError(AdapterError):
    """No Bluetooth adapter: none built in, unplugged, or another name than the address says."""


class AdapterOffError(AdapterError):
    """The adapter is switched off, in flight mode, or blocked."""


class AdapterPermissionError(AdapterError):
    """The system does not let this user or program use Bluetooth."""

    exit_code = 4


class BluetoothServiceError(AdapterError):
    """What stands between us and the adapter (bluetoothd, D-Bus) does not answer."""


class SensorNotFoundError(LinkError):
    """Nothing that advertises our service within range is the sensor that was asked for."""


class SensorAmbiguousError(LinkError):
    """More than one sensor within range is what was asked for."""


class SensorInUseError(LinkError):
    """The sensor is connected to another host, or to another legcurl on this computer."""


class SensorUnreachableError(LinkError):
    """The sensor was seen, but connecting to it failed: too far away, or just gone."""


class LinkLostError(LinkError):
    """The link was open and ended: cable pulled, sensor switched off, peer closed."""


class BrokerError(LinkError):
    """No connection to the MQTT broker, or what answers there is none."""


class BrokerRefusedError(BrokerError):
    """The broker answered and said no: to a password, to a topic, or to a message's size.

    `code` is the reason code of MQTT 5 (0x87: not authorized).
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class FrameError(LegCurlError):
    """Bytes that are no frame of docs/protocol.md. Decoders count these; encoders raise them."""


class SensorError(LegCurlError):
    """A device answered and cannot be used as it is."""

    exit_code = 5


class NotASensorError(SensorError):
    """The port works, but what answers there, if anything, is no legcurl sensor."""


class ServiceMissingError(NotASensorError):
    """A Bluetooth device that advertised our service has no such table, or not all of it."""


class UntrustedSensorError(SensorError):
    """This computer has a key for the sensor that is meant, and what answers has not shown it."""


class WrongKeyError(UntrustedSensorError):
    """The sensor names another key, or none: it was paired elsewhere, or reset."""


class ImpostorError(UntrustedSensorError):
    """What answers cannot prove that it has the key, or comes under an id without one."""


class ProtocolVersionError(SensorError):
    """The sensor speaks a newer major version: update the host."""


class RequestRefusedError(SensorError):
    """The sensor answered a request with a result other than ok."""


class SensorFault(LegCurlError):  # noqa: N818 - the field's word for it
    """The encoder reports that its angles cannot be trusted."""

    exit_code = 5


class CalibrationError(LegCurlError):
    """Two ends of a range that cannot be a lifter's range."""

    exit_code = 2


class InputError(LegCurlError):
    """A file that is not what it should be; the message names the line."""

    exit_code = 6


class NoSuchRecordError(InputError):
    """What was asked of the store by its id is not in it."""


class ConfigError(LegCurlError):
    """An invalid address, option or setting."""

    exit_code = 2


class StoreError(LegCurlError):
    """A set could not be stored or read back."""

    exit_code = 7
