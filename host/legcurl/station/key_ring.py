"""The file in which this computer keeps the keys of its sensors.

A key is 32 random bytes that one sensor and its paired hosts share ("Who may" in docs/protocol.md);
it goes to the sensor over its cable and never over the air. The ring is a JSON file that only its
owner may read. It is read at each use, so a running program knows a sensor that another one has
paired; it is replaced whole, under a lock. No key is in a log or a message: `key_id` names a key.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from legcurl.durable_file import complete_file
from legcurl.errors import ConfigError
from legcurl.file_lock import FileLock
from legcurl.protocol.authentication import KEY_BYTES

ID_DIGITS_LEAST = 4  # of a sensor's id, that name it
RING_ENVIRONMENT = "LEGCURL_KEYS"  # path of the ring, for a service without a home
RING_VERSION = 1
PRIVATE = 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class PairedSensor:
    """An entry of the ring."""

    sensor_id: str
    name: str  # of the machine, when it was paired
    key: bytes = field(repr=False)

    def is_meant_by(self, target: str) -> bool:
        """Whether `target` is its name, its id or the end of its id."""
        wanted = target.casefold()
        if not wanted:
            return False
        is_id = len(wanted) >= ID_DIGITS_LEAST and self.sensor_id.casefold().endswith(wanted)
        return is_id or wanted == self.name.casefold()


class KeyRing:
    """The keys that this computer has. Raises ConfigError for a file that cannot be used."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = ring_path() if path is None else path

    def key(self, sensor_id: str) -> bytes | None:
        """The key of that sensor, or None if this computer has none."""
        entry = self._read().get(sensor_id)
        return None if entry is None else entry.key

    def sensors(self) -> list[PairedSensor]:
        """All entries, by sensor id."""
        return sorted(self._read().values(), key=lambda entry: entry.sensor_id)

    def put(self, sensor_id: str, key: bytes, name: str = "") -> None:
        """Keep a key, in place of the one that was known for this sensor."""
        if len(key) != KEY_BYTES:
            raise ConfigError(f"A key has {KEY_BYTES} bytes, not {len(key)}.")
        with self._locked():
            entries = self._read()
            entries[sensor_id] = PairedSensor(sensor_id, name, key)
            self._write(entries)

    def remove(self, sensor_id: str) -> bool:
        """Forget a key; False if there was none."""
        with self._locked():
            entries = self._read()
            if entries.pop(sensor_id, None) is None:
                return False
            self._write(entries)
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from changing the ring meanwhile."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self.path.with_suffix(".lock"), mode=PRIVATE, wait=True)
        except OSError as error:
            raise self._unwritable(error) from error
        with lock:
            yield

    def _read(self) -> dict[str, PairedSensor]:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(
                f"The key ring {self.path} cannot be read ({error.strerror}): it must belong to "
                "the user that runs legcurl."
            ) from error
        if mode & OTHERS:
            raise ConfigError(
                f"The key ring {self.path} is open to others (mode {stat.S_IMODE(mode):04o}): "
                f"run chmod 600 {self.path}, and pair its sensors anew if others use this computer."
            )
        try:
            return _entries_of(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"The key ring {self.path} is damaged ({error}): put its backup back, or move it "
                "away and pair the sensors anew."
            ) from None  # the cause may quote what must not be told

    def _write(self, entries: dict[str, PairedSensor]) -> None:
        ring = {
            "version": RING_VERSION,
            "keys": {
                entry.sensor_id: {"name": entry.name, "key": entry.key.hex()}
                for entry in entries.values()
            },
        }
        try:
            with complete_file(self.path, replace=True, mode=PRIVATE) as file:
                file.write(json.dumps(ring, indent=2).encode() + b"\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"The key ring {self.path} cannot be written ({error.strerror}): make room, or make "
            f"its folder writable for you; or name another file in {RING_ENVIRONMENT}."
        )


def ring_path() -> Path:
    """$LEGCURL_KEYS, else legcurl/keys.json in $XDG_CONFIG_HOME, else in ~/.config."""
    named = os.environ.get(RING_ENVIRONMENT)
    if named:
        return Path(named)
    folder = os.environ.get("XDG_CONFIG_HOME")
    try:
        home = Path(folder) if folder else Path.home() / ".config"
    except RuntimeError as error:
        raise ConfigError(
            f"This user has no home for a key ring: name a file in {RING_ENVIRONMENT}."
        ) from error
    return home / "legcurl" / "keys.json"


def _entries_of(ring: object) -> dict[str, PairedSensor]:
    """The entries of a ring file. Raises ValueError, which quotes no key."""
    if not isinstance(ring, dict) or not isinstance(ring.get("keys"), dict):
        raise ValueError("it is no key ring")  # noqa: TRY004 - the file's fault, not a caller's
    if ring.get("version") != RING_VERSION:
        raise ValueError(f"it is of version {ring.get('version')!r}, not {RING_VERSION}")
    entries = {}
    for sensor_id, told in ring["keys"].items():
        try:
            key = bytes.fromhex(told["key"])
            name = told.get("name", "")
        except (AttributeError, KeyError, TypeError, ValueError):
            key, name = b"", ""
        if len(key) != KEY_BYTES or not isinstance(name, str):
            raise ValueError(f"the entry of sensor {sensor_id} is no key")
        entries[sensor_id] = PairedSensor(sensor_id, name, key)
    return entries


def new_key() -> bytes:
    """A new random key."""
    return secrets.token_bytes(KEY_BYTES)
