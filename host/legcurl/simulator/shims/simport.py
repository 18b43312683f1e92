"""The sensor's USB port: stdin and stdout, with the faults that the world asks for in between.

The firmware gets `stdin` and `stdout` in place of the real ones. They behave as a board's do.
"""

import usys
from simclock import WorldEnded, clock

_REQUEST = 0x01
_HELLO = 0x01
_START = 0x02

# A pseudo-terminal has no cable to pull. Where the link broke, these bytes stand behind the last
# that got through, and runner.py makes a hang-up of them. To any other reader they are empty
# frames and one that is no frame.
_CUT = bytes(8) + b"\x01\0"


class PortIn:
    """Bytes from the host."""

    def __init__(self, raw):
        self.raw = raw
        self.buffer = self
        self._head = bytearray(4)  # of the frame that is coming in
        self._length = 0

    def readinto(self, buffer):
        """Fill `buffer`, as long as it takes."""
        taken = self.raw.readinto(buffer)
        if not taken:
            raise WorldEnded  # a closed pipe: the runner has gone
        if clock.frozen:
            for i in range(taken):
                self.watch(buffer[i])
        return taken

    def read(self, size):
        """`size` bytes, as long as it takes."""
        buffer = bytearray(size)
        taken = self.readinto(buffer)
        return bytes(buffer[:taken])

    def throw_away(self):
        """Lose a byte that came over a link that is down."""
        self.raw.readinto(bytearray(1))
        self._length = 0

    def watch(self, byte):
        """Time begins with a start request.

        No byte of type, id or op changes place under COBS: they follow the code byte.
        """
        if byte == 0:
            if self._length == 4 and self._head[1] == _REQUEST:
                if self._head[3] == _HELLO:
                    clock.greeted = True
                elif self._head[3] == _START:
                    clock.start_asked()
            self._length = 0
        elif self._length < 4:
            self._head[self._length] = byte
            self._length += 1


class PortOut:
    """Bytes to the host."""

    def __init__(self, raw):
        self.raw = raw
        self.buffer = self
        self.written = 0
        self._cuts_told = 0

    @property
    def cut(self):
        """Whether no host is at the other end: the link is down, or was down unnoticed."""
        return clock.link_down or self._cuts_told < clock.cuts

    def tell_cut(self):
        """Say to the other end that the link went down, once for each time; it takes bytes."""
        if self._cuts_told < clock.cuts:
            self._cuts_told = clock.cuts
            self._write_all(_CUT)

    def write(self, chunk):
        """Write `chunk`; returns how much of it the port took."""
        if not clock.powered:
            return len(chunk)
        world = clock.world
        if world is not None and (world.corrupt_bytes or world.drop_bytes or world.double_chunks):
            return self._write_damaged(chunk, world)
        sent = self.raw.write(chunk) or 0
        self.written += sent
        return sent

    def flush(self):
        """Nothing is buffered here."""

    def _write_damaged(self, chunk, world):
        """The faults take the first bytes of each chunk, so they hit frames, not gaps."""
        damaged = bytearray(chunk)
        for i in range(min(world.corrupt_bytes, len(damaged))):
            damaged[i] ^= 0x55
            world.corrupt_bytes -= 1
        dropped = min(world.drop_bytes, len(damaged))
        world.drop_bytes -= dropped
        self._write_all(damaged[dropped:])
        if world.double_chunks:
            world.double_chunks -= 1
            self._write_all(damaged[dropped:])
        return len(chunk)

    def _write_all(self, rest):
        at = 0
        while at < len(rest):
            at += self.raw.write(rest[at:]) or 0
        self.written += at


if usys.implementation.name == "micropython":
    stdin = PortIn(usys.stdin.buffer)
    stdout = PortOut(usys.stdout.buffer)
else:
    from io import FileIO

    stdin = PortIn(FileIO(0, closefd=False))
    stdout = PortOut(FileIO(1, "wb", closefd=False))
