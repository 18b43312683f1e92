"""Errors of bleak and the system below it, as legcurl's errors with a remedy.

bleak reports some troubles by type, some by the name of a D-Bus error, and a few by words alone;
below it the D-Bus library lets plain OSErrors and EOFErrors through. Each known one becomes an
AdapterError here; the others keep their words.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)

from legcurl.errors import (
    AdapterError,
    AdapterNotFoundError,
    AdapterOffError,
    AdapterPermissionError,
    BluetoothServiceError,
)

# What may come out of any call to bleak. TimeoutError and the socket's troubles are OSErrors; the
# last three are what its BlueZ backend trips over when a device or the bus vanishes under it.
TROUBLES = (BleakError, OSError, EOFError, AssertionError, AttributeError, KeyError)

Reason = BleakBluetoothNotAvailableReason

# Ends of D-Bus error names. BlueZ: org.bluez.Error.*, the bus: org.freedesktop.DBus.Error.*
SERVICE_GONE = ("ServiceUnknown", "NameHasNoOwner", "NoReply", "NoServer", "Disconnected")
FORBIDDEN = ("AccessDenied", "NotPermitted", "NotAuthorized", "AuthFailed")
ADAPTER_GONE = ("UnknownObject", "UnknownMethod", "UnknownInterface", "DoesNotExist")
LINUX = sys.platform == "linux"


def adapter_trouble(error: Exception, adapter: str) -> AdapterError | None:
    """The AdapterError if the fault is in this computer's Bluetooth, else None.

    Looks at the causes of an exception too: bleak-retry-connector wraps what it caught.
    """
    for cause in _chain(error):
        found = _adapter_trouble(cause, adapter)
        if found is not None:
            return found
    return None


def words_of(error: Exception) -> str:
    """The exception's message in one line, without a full stop."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    words = " ".join(str(error).split()) or type(error).__name__
    return words.rstrip(".")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _adapter_trouble(error: BaseException, adapter: str) -> AdapterError | None:
    if isinstance(error, BleakBluetoothNotAvailableError):
        return _unavailable(error)
    if isinstance(error, BleakDBusError):
        return _dbus(error, adapter)
    if isinstance(error, BleakError):
        words = str(error)
        if words.startswith("adapter ") and words.endswith("not found"):
            return _no_adapter(adapter)
        if "BlueZ >=" in words:
            return BluetoothServiceError(f"This computer's BlueZ is too old: {words_of(error)}.")
        return None
    if isinstance(error, PermissionError):
        return _forbidden(words_of(error))
    if isinstance(error, FileNotFoundError | ConnectionError | EOFError):
        return _no_service(words_of(error))
    return None


def _unavailable(error: BleakBluetoothNotAvailableError) -> AdapterError:
    reason = error.reason
    if reason is Reason.NO_BLUETOOTH:
        return _no_adapter("")
    if reason is Reason.NO_BLE_CENTRAL_ROLE:
        return AdapterNotFoundError(
            "This computer's Bluetooth adapter cannot do Bluetooth Low Energy: plug in one that "
            "has Bluetooth 4.0 or later, or connect the sensor by USB."
        )
    if reason is Reason.POWERED_OFF:
        return _off()
    if reason in (Reason.DENIED_BY_USER, Reason.DENIED_BY_SYSTEM, Reason.DENIED_BY_UNKNOWN):
        return _forbidden(str(error.args[0]))
    return AdapterError(
        f"This computer's Bluetooth cannot be used ({words_of(Exception(error.args[0]))}). Switch "
        "it off and on again, or connect the sensor by USB."
    )


def _dbus(error: BleakDBusError, adapter: str) -> AdapterError | None:
    name = error.dbus_error.rpartition(".")[2]
    if name in SERVICE_GONE or ".Spawn." in error.dbus_error:
        return _no_service(words_of(error))
    if name in FORBIDDEN and not _about_attribute(error):
        return _forbidden(words_of(error))
    if name == "NotReady":
        return _off()
    if name in ADAPTER_GONE and "Adapter1" in str(error):
        return _no_adapter(adapter)
    return None


def _about_attribute(error: BleakDBusError) -> bool:
    """Whether it is the sensor that does not permit something, as of an attribute."""
    return error.dbus_error.startswith("org.bluez.") and "permitted" in str(error).casefold()


def _no_adapter(adapter: str) -> AdapterNotFoundError:
    if adapter:
        return AdapterNotFoundError(
            f"This computer has no Bluetooth adapter {adapter}: /sys/class/bluetooth shows those "
            "that it has. Plug it in again, or leave ?adapter= out of the address."
        )
    return AdapterNotFoundError(
        "This computer has no Bluetooth adapter, or it was unplugged: plug one in, or connect the "
        "sensor by USB and use serial:."
    )


def _off() -> AdapterOffError:
    how = (
        "Run: rfkill unblock bluetooth; bluetoothctl power on"
        if LINUX
        else "Switch it on in the system's settings."
    )
    return AdapterOffError(f"This computer's Bluetooth is switched off. {how}")


def _forbidden(words: str) -> AdapterPermissionError:
    how = (
        "Run legcurl as a user of this computer's own session, or let the user into the group "
        "bluetooth; a container needs the host's /run/dbus and a policy that lets it."
        if LINUX
        else "Allow it for your terminal in System Settings, Privacy & Security, Bluetooth."
    )
    return AdapterPermissionError(f"You may not use this computer's Bluetooth ({words}). {how}")


def _no_service(words: str) -> BluetoothServiceError:
    how = (
        "Run: systemctl start bluetooth; in a container, share the host's /run/dbus."
        if LINUX
        else "Switch Bluetooth off and on again."
    )
    return BluetoothServiceError(
        f"This computer's Bluetooth service does not answer ({words}). {how}"
    )
