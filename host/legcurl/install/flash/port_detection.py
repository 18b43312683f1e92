"""Which of this computer's ports may have a board behind it, and how to make one appear.

A USB id of MicroPython's own (a Pico) is a board for sure. That of a USB-to-serial chip, or of an
Espressif chip's own USB, may be anything: who finds such a port must ask before sending Ctrl-C to
it. A board without MicroPython shows no port at all, or one that does not answer; what to do
then is `how_to_get_micropython`.
"""

from __future__ import annotations

from dataclasses import dataclass
from glob import glob

from legcurl.install.boards.board_file import BoardFile, all_boards
from legcurl.install.flash.firmware_build import MICROPYTHON_MIN

MICROPYTHON_USB = ("2e8a:0005", "303a:4001")  # given by MicroPython itself on RP2 and ESP32-S3
RETURN_S = 5.0  # a board that restarts has its port back: USB takes a second, a desktop some more
LOOK_AGAIN_S = 0.3  # until then
# Where a Pico's boot drive (BOOTSEL) appears, by its name: Linux with and without a desktop, macOS.
BOOT_DRIVES = tuple(
    f"{place}/{label}"
    for place in ("/dev/disk/by-label", "/media/*", "/run/media/*", "/media", "/Volumes")
    for label in ("RPI-RP2", "RP2350")
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A port that may have a board behind it."""

    port: str
    usb: str | None = None  # "vid:pid"
    product: str = ""
    serial_number: str | None = None
    boards: tuple[BoardFile, ...] = ()

    @property
    def surely_micropython(self) -> bool:
        """Whether the USB id alone says that MicroPython runs there."""
        return self.usb in MICROPYTHON_USB


def candidates() -> list[Candidate]:
    """The ports whose USB id one of the supported boards has."""
    boards = all_boards()
    found = (_candidate(port, boards) for port in _usb_ports())
    return sorted((one for one in found if one.boards), key=lambda one: one.port)


def candidate_at(port: str) -> Candidate:
    """What is known about a port that was named."""
    boards = all_boards()
    for found in _usb_ports():
        if found.device == port:
            return _candidate(found, boards)
    return Candidate(port)


def find_again(candidate: Candidate) -> str:
    """The port at which a device is after it restarted: its number may have changed."""
    if candidate.serial_number is not None:
        for found in _usb_ports():
            if found.serial_number == candidate.serial_number:
                return found.device
    return candidate.port


def boot_drive() -> str | None:
    """A Pico's boot drive, if one is here: a board that waits for MicroPython."""
    return next((path for pattern in BOOT_DRIVES for path in sorted(glob(pattern))), None)


def how_to_get_micropython(board: BoardFile) -> str:
    """What to do by hand, once for each board: nothing is downloaded by this program."""
    version = ".".join(map(str, MICROPYTHON_MIN))
    page = f"micropython.org/download/{board.micropython}/"
    if board.port == "rp2":
        return (
            f"To put MicroPython on a {board.title}: get the newest .uf2 file (v{version} or "
            f"later) from {page}, hold the BOOTSEL button while plugging the board in, and copy "
            "the file to the drive that appears."
        )
    offset = "0x1000" if board.mcu.name == "esp32" else "0"
    return (
        f"To put MicroPython on an {board.title}: get the newest .bin file (v{version} or later) "
        f"from {page} and run: esptool erase_flash, then: esptool write_flash {offset} FILE.bin "
        "(hold the BOOT button while plugging the board in if esptool does not find it)."
    )


def _usb_ports():  # noqa: ANN202 - pyserial's ListPortInfo, which comes without types
    from serial.tools import list_ports

    return [port for port in list_ports.comports() if port.vid is not None]


def _candidate(port, boards: list[BoardFile]) -> Candidate:  # noqa: ANN001 - see _usb_ports
    usb = f"{port.vid:04x}:{port.pid:04x}"
    return Candidate(
        port.device,
        usb,
        port.product or port.description or "",
        port.serial_number,
        tuple(board for board in boards if usb in board.usb),
    )
