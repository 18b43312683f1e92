"""The GATT table that a MicroPython firmware registers, with values as its stacks keep them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bumble import att, core, gatt

if TYPE_CHECKING:
    from bumble.device import Connection, Device

DEFAULT_BUFFER_BYTES = 20  # MICROPY's MP_BLUETOOTH_DEFAULT_ATTR_LEN
READ = 0x02
WRITES = 0x0C  # with and without response
PROPERTIES = 0x3F
HIGHEST_VALUE_BYTES = 512  # Core 5.4, volume 3, part F, 3.2.9


@dataclass(slots=True)
class Value:
    """One attribute and what it holds."""

    attribute: att.Attribute[bytes]
    content: bytes = b""
    room: int = DEFAULT_BUFFER_BYTES
    append: bool = False  # writes add up until the firmware reads


class Attributes:
    """Values by handle."""

    def __init__(self) -> None:
        self._values: dict[int, Value] = {}

    def add(self, attribute: att.Attribute[bytes]) -> None:
        """Keep a value for an attribute that has a handle."""
        self._values[attribute.handle] = Value(attribute)

    def attribute(self, handle: int) -> att.Attribute[bytes]:
        """What Bumble knows it by."""
        return self._value(handle).attribute

    def peek(self, handle: int) -> bytes:
        """What a central would read."""
        return self._value(handle).content

    def take(self, handle: int) -> bytes:
        """What the firmware reads; an appended buffer is empty afterwards."""
        value = self._value(handle)
        content = value.content
        if value.append:
            value.content = b""
        return content

    def put(self, handle: int, content: bytes) -> None:
        """What the firmware writes; the buffer grows to hold it."""
        value = self._value(handle)
        value.content = content
        value.room = max(value.room, len(content))

    def receive(self, handle: int, content: bytes) -> None:
        """What a central writes: added or put there, and cut in silence."""
        value = self._value(handle)
        before = value.content if value.append else b""
        value.content = (before + content)[: value.room]

    def set_buffer(self, handle: int, room: int, *, append: bool) -> None:
        """Give an attribute room for so many bytes."""
        value = self._value(handle)
        value.content = b""
        value.room = room
        value.append = append

    def _value(self, handle: int) -> Value:
        try:
            return self._values[handle]
        except KeyError:
            raise OSError(errno.EINVAL, f"no attribute has the handle {handle}") from None


def register(
    device: Device,
    attributes: Attributes,
    services: list[Any],
    on_write: Callable[[Connection, int], None],
) -> list[list[int]]:
    """Add services to a device; the handles of each, characteristics and their descriptors.

    A service is [uuid, [[uuid, flags, [[uuid, flags], …]], …]], as the firmware lists them, with
    UUIDs in hexadecimal and little-endian.
    """
    handles = []
    for service_uuid, listed in services:
        in_order: list[att.Attribute[bytes]] = []
        characteristics = []
        for uuid, flags, its_descriptors in listed:
            descriptors = [
                gatt.Descriptor(_uuid(number), _permissions(its_flags), b"")
                for number, its_flags in its_descriptors
            ]
            characteristic = gatt.Characteristic(
                _uuid(uuid),
                gatt.Characteristic.Properties(flags & PROPERTIES),
                _permissions(flags),
                b"",
                descriptors,
            )
            characteristics.append(characteristic)
            in_order += [characteristic, *descriptors]
        for attribute in in_order:
            attribute.value = _delegate(attribute, attributes, on_write)
        device.add_service(gatt.Service(_uuid(service_uuid), characteristics))
        for attribute in in_order:
            attributes.add(attribute)
        handles.append([attribute.handle for attribute in in_order])
    return handles


def _delegate(
    attribute: att.Attribute[bytes],
    attributes: Attributes,
    on_write: Callable[[Connection, int], None],
) -> att.AttributeValue[bytes]:
    def read(_connection: Connection) -> bytes:
        return attributes.peek(attribute.handle)[:HIGHEST_VALUE_BYTES]

    def write(connection: Connection, content: bytes) -> None:
        attributes.receive(attribute.handle, content)
        on_write(connection, attribute.handle)

    return att.AttributeValue(read=read, write=write)


def _permissions(flags: int) -> att.Attribute.Permissions:
    permissions = att.Attribute.Permissions(0)
    if flags & READ:
        permissions |= att.Attribute.READABLE
    if flags & WRITES:
        permissions |= att.Attribute.WRITEABLE
    return permissions


def _uuid(text: str) -> core.UUID:
    return core.UUID.from_bytes(bytes.fromhex(text))
