"""The host's copy of the sensor's log: frames as they arrive in, samples in order out.

Every sample has an index that counts from the sensor's boot. The assembler knows the index that
it expects and takes nothing beyond it (go-back-N): a frame that was lost on the way shows as a
later one that does not fit, `wants` says from where to ask again, and what was refused comes once
more. So what leaves here is in order, without repeats, and complete but for the gaps that the
sensor itself declares. Refusing costs a little traffic after a loss; what it saves is a buffer
for frames out of order and every question about how large that may grow.

A recording cannot be asked again. Its reader says where frames were damaged, and `skip_damage`
lets the next frame be taken wherever it begins; the hole becomes a gap of no known reason. And of a
recording that holds nothing but what a session took, frame after frame (`nobody_to_ask`), any jump
is such a hole: there frames are missing exactly at their borders, which nobody could have marked.
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
    holes: int = 0  # jumps that were taken for gaps, with nobody to ask


class LogAssembler:
    """Puts one boot's frames in order. `expected` is the index it takes next, None before any."""

    def __init__(self, expected: int | None = None, *, nobody_to_ask: bool = False) -> None:
        self.counts = AssemblerCounts()
        self.expected = expected
        self._final = nobody_to_ask
        self._lacking = False
        self._damaged = False

    @property
    def wants(self) -> int | None:
        """The index to ask the sensor for (start), or None while all is well.

        It goes back to None when the sensor grants a start, so that a loss after that one shows
        again; a caller asks when it sees an index here and has no request under way.
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
        """Take the next frame wherever it begins: what came before it is damaged for good."""
        self._damaged = True

    def push(self, frame: Samples | Gap) -> list[Samples | Gap]:
        """Take the frame that came next; give what is now known beyond what was known before."""
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
        """Whether what is missing here will never come. A hole that nobody marked is counted."""
        if self._final and not self._damaged:
            self.counts.holes += 1
        return self._final or self._damaged


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
