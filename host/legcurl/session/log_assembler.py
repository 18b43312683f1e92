"""The host's copy of the sensor's log: frames as they arrive in, samples in order out.

Every sample has an index that counts from the sensor's boot. The assembler takes only the index
that it expects (go-back-N). When a frame is lost, the next one does not fit and is refused; `wants`
says from where to ask again, and the sensor sends both once more. So what leaves here is in order,
without repeats, and complete but for the gaps that the sensor declares. Refusing costs a little
traffic after a loss, and saves a buffer for frames out of order with a limit of its own.

A recording cannot be asked again. Its reader says where frames were damaged, and after
`skip_damage` the next frame is taken wherever it begins; the hole becomes a gap of unknown reason.
A recording of exactly the frames that a session took (`jumps_are_holes`) may lack whole frames
without a mark: in it any jump is such a hole.
"""

from __future__ import annotations

from dataclasses import dataclass

from legcurl.protocol.frame import Gap, Samples
from legcurl.protocol.requests import INDEX_MAX

UNKNOWN_REASON = 0  # of a gap that no sensor declared: the recording is damaged there


@dataclass(slots=True)
class AssemblerCounts:
    """Frames that were not passed on as they came."""

    repeated: int = 0  # wholly known already
    trimmed: int = 0  # known in part
    refused: int = 0  # beyond the expected index: something before it is lacking
    unasked: int = 0  # before any start was granted
    absurd: int = 0  # of indexes that no sensor can reach
    holes: int = 0  # jumps that were taken for gaps


class LogAssembler:
    """One boot's log. `expected` is the index that it takes next, None before any."""

    def __init__(self, expected: int | None = None, *, jumps_are_holes: bool = False) -> None:
        self.counts = AssemblerCounts()
        self.expected = expected
        self._jumps_are_holes = jumps_are_holes
        self._lacking = False
        self._damaged = False

    @property
    def wants(self) -> int | None:
        """The index to start from again, because a frame was lost; or None.

        None again when the sensor grants a start, so that a loss after that one shows.
        """
        return self.expected if self._lacking else None

    def reset(self) -> None:
        """Forget the log: another boot has begun, and its stream has not been started."""
        self.expected = None
        self._lacking = False
        self._damaged = False

    def started(self, first: int) -> None:
        """Note that the sensor granted a start and streams from `first`."""
        if self.expected is None:
            self.expected = first
        self._lacking = False

    def skip_damage(self) -> None:
        """Take the next frame wherever it begins: those before it are damaged for good."""
        self._damaged = True

    def push(self, frame: Samples | Gap) -> list[Samples | Gap]:
        """Take the frame that came next; give what is new in it."""
        expected = self.expected
        if expected is None:
            if not self._may_jump():
                self.counts.unasked += 1
                return []
            expected = frame.index
        count = frame.count if isinstance(frame, Gap) else len(frame.angles)
        end = frame.index + count
        if end > INDEX_MAX:
            self.counts.absurd += 1
            return []
        if end <= expected:
            self.counts.repeated += 1
            return []
        passed: list[Samples | Gap] = []
        if frame.index > expected:
            if not self._may_jump():
                self.counts.refused += 1
                self._lacking = True
                return []
            passed.append(Gap(expected, frame.index - expected, UNKNOWN_REASON))
        elif frame.index < expected:
            self.counts.trimmed += 1
            frame = _from(frame, expected)
        passed.append(frame)
        self.expected = end
        self._lacking = False
        self._damaged = False
        return passed

    def _may_jump(self) -> bool:
        """Whether what is missing here will never come. Counts a hole that has no mark."""
        if self._jumps_are_holes and not self._damaged:
            self.counts.holes += 1
        return self._jumps_are_holes or self._damaged


def _from(frame: Samples | Gap, index: int) -> Samples | Gap:
    """The part of a frame that begins at an index within it."""
    known = index - frame.index
    if isinstance(frame, Gap):
        return Gap(index, frame.count - known, frame.reason)
    return Samples(
        index=index,
        t_us=frame.t_us + known * frame.period_us,
        period_us=frame.period_us,
        status=frame.status,
        angles=frame.angles[known:],
        deviations_us=None if frame.deviations_us is None else frame.deviations_us[known:],
    )
