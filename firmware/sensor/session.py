"""One host on one link: its requests, the answers, and its place in the log.

It sends one wire frame at a time. While the link takes no bytes, that frame waits, the cursor
stays, and no request is read. So a host that never reads costs nothing; when it reads again, it
gets what the log still holds.

A request that has to write to flash is a job that takes several turns of the main loop
(commands.py). Meanwhile samples go on, and the next request waits in the link.
"""

from micropython import const

from sensor import PROTOCOL_MAJOR, PROTOCOL_MINOR
from sensor.anglelog import Cursor
from sensor.frame import ANSWER, BOOT, SAMPLES, FrameReader, FrameWriter
from sensor.links import STALLED

# In one turn of the main loop, so that a flood of input or a long log to send again leaves time
# for everything else.
_BYTES_A_TURN = const(128)
_FRAMES_A_TURN = const(8)

_END = b"\0"


class HostSession:
    """Serves the host at the other end of `link`."""

    def __init__(self, link, log, commands, counters, boot_id):
        self._link = link
        self._log = log
        self._commands = commands
        self._counters = counters
        self._boot_id = boot_id
        self._reader = FrameReader(counters)
        self._writer = FrameWriter()
        self._length = 0  # of the wire frame on its way out
        self._sent = 0  # bytes of it that went
        self._end_first = False  # a zero must end what a stall cut short
        self._deferred = False  # this frame was counted as deferred
        self._bytes_left = 0  # that may be read in this turn
        self._job = None  # the request that is being worked on
        self._connection = link.connection
        self.wired = link.wired
        self.challenge = None  # what the host was last challenged with: see trust.py
        self.cursor = Cursor()
        self.streaming = False
        self.ahead = 0  # samples that may go before their run is full; 0: none

    def announce(self):
        """Tell a host on a cable that the sensor has started.

        Other links have no host yet.
        """
        if not self.wired:
            return
        body = self._writer.body
        body[:4] = self._boot_id.to_bytes(4, "little")
        body[4] = PROTOCOL_MAJOR
        body[5] = PROTOCOL_MINOR
        self._send(BOOT, 6)
        self._end_first = True  # ends any noise that was on the line before

    def serve(self):
        """Send and receive what the link allows, in bounded time."""
        if self._link.connection != self._connection:
            self._begin_anew()
        if self._link.hung_up:
            self.streaming = False
        self._bytes_left = _BYTES_A_TURN
        for _ in range(_FRAMES_A_TURN):
            if not self._flush():
                return
            if not (self._answer_request() or self._next_frame()):
                self._link.want_output(False)
                return

    def finish(self):
        """Try once to send what is due; True when nothing is left, or no host is there."""
        if self._link.hung_up:
            return True
        return self._flush() and not self._next_frame()

    def _begin_anew(self):
        """Forget the host that has gone. Its job is finished, but not answered."""
        self._connection = self._link.connection
        if self._sent < self._length:
            self._end_first = self.wired
        self._length = 0
        self._sent = 0
        self._reader.reset()
        self._job = None
        self.challenge = None
        self.cursor = Cursor()
        self.streaming = False
        self.ahead = 0

    def _flush(self):
        """Send as much of the current frame as the link takes; True if all was sent."""
        if self._end_first:
            if self._link.write(_END) != 1:
                return self._defer()
            self._end_first = False
        while self._sent < self._length:
            sent = self._link.write(self._writer.wire[self._sent : self._length])
            if sent == STALLED:
                self._end_first = True
                self._sent = 0
                return self._defer()
            if not sent:
                return self._defer()
            self._sent += sent
        return True

    def _defer(self):
        if not self._deferred:
            self._deferred = True
            self._counters.frames_deferred += 1
        return False

    def _send(self, frame_type, body_length):
        self._length = self._writer.finish(frame_type, body_length)
        self._sent = 0
        self._deferred = False
        self._counters.frames_sent += 1
        self._link.begin(frame_type)

    def _answer_request(self):
        """Work on a request as far as possible; True if its answer waits to be sent."""
        job = self._job or self._read_request()
        if job is None or not job.done:
            self._job = job
            return False
        self._job = None
        # The request stands in the reader's buffer: id and op go back as they came.
        request = self._reader.frame
        body = self._writer.body
        body[0] = request[1]
        body[1] = request[2]
        body[2] = job.result
        body[3 : 3 + len(job.payload)] = job.payload
        self._send(ANSWER, 3 + len(job.payload))
        return True

    def _read_request(self):
        """Read until a request is whole; returns its job, or None."""
        link = self._link
        while self._bytes_left:
            byte = link.read_byte()
            if byte < 0:
                return None
            self._bytes_left -= 1
            self._counters.bytes_received += 1
            length = self._reader.push(byte)
            if length:
                self._counters.requests += 1
                link.hear()
                frame = self._reader.frame
                return self._commands.begin(self, frame[2], frame[3:length])
        return None

    def _next_frame(self):
        """Take the next record of the log; True if it waits to be sent."""
        if not self.streaming:
            return False
        frame_type, length = self._log.read(self.cursor, self._writer.body)
        if not length and self.ahead:
            frame_type = SAMPLES
            length = self._log.read_ahead(self.cursor, self._writer.body, self.ahead)
        if not length:
            return False
        self._send(frame_type, length)
        return True
