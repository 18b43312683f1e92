"""The angle log: the last minutes of samples, addressed by index.

Samples collect in an open run. When the run holds a frame's worth, the status changes, or a gap
comes, it is encoded once, as the body of the SAMPLES frame that will carry it, and written to a
ring of bytes. Gaps are written in between as GAP bodies. New records replace the oldest.

A reader holds a `Cursor`, the index that it wants next, and `read` gives it record after record.
A reader that comes too late for a record gets a gap with the reason "evicted" instead.

Ring layout: a record is two bytes of length (with the kind in the top bit), one byte of sample
count, and the body. Records do not wrap: one that does not fit before the end starts at 0, and a
length of 0 marks the jump.
"""

from array import array

from micropython import const

from sensor.frame import (
    EVICTED,
    GAP,
    MAX_BODY,
    OVERRUN,
    PAUSED,
    SAMPLES,
    encode_gap,
    encode_samples,
)

# A frame must hold the longest run at its worst: 28 bytes before the deltas, then 3 bytes of delta
# (16-bit encoder) and 3 of deviation (up to 65 ms) a sample: 988 of 1019.
LONGEST_RUN = const(160)

_HEAD = const(3)
_GAP_KIND = const(0x80)  # in the high byte of the length
_LENGTH_HIGH = const(0x7F)


class Cursor:
    """A reader's place: the index that it wants next, and where that record lies."""

    def __init__(self):
        self.index = 0
        self.position = 0
        self.ahead = 0  # samples of that record that it has, from the open run


class AngleLog:
    """A log of `size` bytes of angles that are multiples of 2^`shift`."""

    def __init__(self, size, shift, counters):
        if size < 4 * MAX_BODY:
            raise ValueError("board file: log_bytes must be at least " + str(4 * MAX_BODY))
        self.size = size
        self.first_index = 0  # of the oldest record
        self.next_index = 0  # of the next sample
        self._shift = shift
        self._counters = counters
        self._ring = bytearray(size)
        self._view = memoryview(self._ring)
        self._head = 0  # where the next record goes
        self._tail = 0  # the oldest record
        self._records = 0
        self._end_index = 0  # behind the last record: first of the open run
        self._scratch = bytearray(MAX_BODY)
        self._angles = array("H", bytes(2 * LONGEST_RUN))
        self._late = array("i", bytes(4 * LONGEST_RUN))
        self._closed_angles = array("H", bytes(2 * LONGEST_RUN))  # the run before the open one
        self._closed_late = array("i", bytes(4 * LONGEST_RUN))
        self._closed_index = -1  # of its first sample
        self._closed_status = 0
        self._count = 0  # samples in the open run
        self._status = 0
        self._run_length = LONGEST_RUN
        self._begun = False
        self._origin_index = 0  # a sample of this index is due at _origin_us
        self._origin_us = 0
        self._period_us = 0

    def set_run_length(self, samples):
        """Close runs at this many samples, from the next on."""
        self._run_length = max(1, min(samples, LONGEST_RUN))

    def begin(self, time_us, period_us):
        """Start a new grid: the next sample was due at `time_us`, the rest follow."""
        if self._begun:
            # What fell due in the pause was not taken. At least one index marks the new grid.
            due = self._origin_us + (self.next_index - self._origin_index) * self._period_us
            pause = (time_us - due + self._period_us // 2) // self._period_us
            self.skip(max(1, pause), PAUSED)
        self._begun = True
        self._closed_index = -1  # its times were of the grid before
        self._origin_index = self.next_index
        self._origin_us = time_us
        self._period_us = period_us

    def append(self, angle, status, late_us):
        """Take the next sample."""
        count = self._count
        if count and status != self._status:
            self.close_run()
            count = 0
        self._angles[count] = angle
        self._late[count] = late_us
        self._status = status
        count += 1
        self._count = count
        self.next_index += 1
        if count >= self._run_length:
            self.close_run()

    def skip(self, count, reason=OVERRUN):
        """The next `count` samples will never come."""
        self.close_run()
        self._lay(GAP, encode_gap(self._scratch, self.next_index, count, reason), 0)
        self.next_index += count
        self._end_index = self.next_index

    def close_run(self):
        """Make the samples taken so far readable, however few."""
        count = self._count
        if not count:
            return
        first = self._end_index
        length = self._encode(
            self._scratch, first, self._status, self._angles, self._late, 0, count
        )
        self._angles, self._closed_angles = self._closed_angles, self._angles
        self._late, self._closed_late = self._closed_late, self._late
        self._closed_index = first
        self._closed_status = self._status
        self._count = 0
        self._lay(SAMPLES, length, count)
        self._end_index = self.next_index

    def seek(self, cursor, index):
        """Move `cursor` to `index`; returns the index that comes first.

        That is the first of the run that holds `index`: a little earlier, if samples after it are
        already encoded, and later, if the log no longer holds it.
        """
        cursor.index = index
        cursor.ahead = 0
        if index >= self._end_index:
            cursor.position = self._head
            cursor.index = self._end_index
            return cursor.index
        if index < self.first_index:
            return self.first_index
        at = self._tail
        first = self.first_index
        while True:
            at = self._skip_jump(at)
            after = first + self._span(at)
            if index < after:
                break
            first = after
            at += _HEAD + self._length(at)
        cursor.index = first
        cursor.position = at
        return first

    def read(self, cursor, body):
        """Copy the next frame's body into `body`: (frame type, length); (0, 0) if none is due."""
        if cursor.index >= self._end_index:
            return 0, 0
        if cursor.index <= self.first_index:
            # A jump before which a waiting cursor stood may have been overwritten.
            cursor.position = self._tail
            cursor.ahead = 0
            lost = self.first_index - cursor.index
            if lost:
                length = encode_gap(body, cursor.index, lost, EVICTED)
                cursor.index = self.first_index
                return GAP, length
        at = self._skip_jump(cursor.position)
        ahead = cursor.ahead
        count = self._span(at)
        if ahead >= count:  # the cursor has all of it
            at = self._skip_jump(at + _HEAD + self._length(at))
            ahead = 0
            count = self._span(at)
        length = self._length(at)
        start = at + _HEAD
        first = cursor.index - ahead
        cursor.index = first + count
        cursor.position = start + length
        cursor.ahead = 0
        if ahead and first == self._closed_index:
            length = self._encode(
                body,
                first + ahead,
                self._closed_status,
                self._closed_angles,
                self._closed_late,
                ahead,
                count - ahead,
            )
        else:  # a cursor that was ahead of an older record gets some samples twice
            body[:length] = self._view[start : start + length]
        return (GAP if self._ring[at + 1] & _GAP_KIND else SAMPLES), length

    def read_ahead(self, cursor, body, least):
        """Encode the open run's samples for this cursor if there are `least`; returns the length.

        For a host that wants samples before the run is full. No frame repeats them: `read` goes on
        behind them when the run is closed.
        """
        ahead = cursor.index - self._end_index
        if ahead < 0:
            return 0  # the log has more, and it comes first
        count = self._count - ahead
        if count < least:
            return 0
        if not ahead:
            cursor.position = self._head
        cursor.index += count
        cursor.ahead = ahead + count
        return self._encode(
            body, cursor.index - count, self._status, self._angles, self._late, ahead, count
        )

    def _encode(self, body, index, status, angles, late, start, count):
        """Write the body of `count` samples of a run from its `start`th on; returns its length."""
        return encode_samples(
            body,
            index,
            self._origin_us + (index - self._origin_index) * self._period_us,
            self._period_us,
            status,
            self._shift,
            angles,
            late,
            start,
            count,
        )

    def _lay(self, kind, length, count):
        """Append the scratch body as a record, in place of as many old ones as it takes."""
        need = _HEAD + length
        head = self._head
        if head + need > self.size:
            self._make_room(head, self.size)
            if head + 1 < self.size:
                self._ring[head] = 0
                self._ring[head + 1] = 0
            head = 0
        self._make_room(head, head + need)
        ring = self._ring
        ring[head] = length & 0xFF
        ring[head + 1] = length >> 8 | (_GAP_KIND if kind == GAP else 0)
        ring[head + 2] = count
        start = head + _HEAD
        self._view[start : start + length] = memoryview(self._scratch)[:length]
        if not self._records:
            self._tail = head
        self._records += 1
        self._head = head + need

    def _make_room(self, start, end):
        """Evict the oldest records as long as they begin in [start, end)."""
        while self._records and start <= self._tail < end:
            tail = self._tail
            self._counters.evicted += self._ring[tail + 2]
            self.first_index += self._span(tail)
            self._records -= 1
            tail += _HEAD + self._length(tail)
            # What follows is a record or a jump only as long as there are records.
            self._tail = self._skip_jump(tail) if self._records else tail

    def _skip_jump(self, at):
        """The position of the record that follows in the ring at `at`."""
        if at + 1 >= self.size or not self._length(at):
            return 0
        return at

    def _length(self, at):
        return self._ring[at] | (self._ring[at + 1] & _LENGTH_HIGH) << 8

    def _span(self, at):
        """How many indices a record covers."""
        if not self._ring[at + 1] & _GAP_KIND:
            return self._ring[at + 2]
        at = self._behind_uvarint(at + _HEAD)
        span = 0
        bits = 0
        while True:
            byte = self._ring[at]
            span |= (byte & 0x7F) << bits
            if byte < 0x80:
                return span
            bits += 7
            at += 1

    def _behind_uvarint(self, at):
        while self._ring[at] & 0x80:
            at += 1
        return at + 1
