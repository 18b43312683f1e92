"""Figures that a part of the service has of itself, for /metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of another part, under a name such as `legcurl_journal_bytes`."""

    name: str
    what: str  # one sentence, shown in /metrics
    value: float
    kind: Literal["gauge", "counter"] = "gauge"


class MeasureSource(Protocol):
    """A part that has figures of its own: the journal, the outbox."""

    def measures(self) -> Iterable[Measure]:
        """The figures as they are now. Called in the event loop: it returns at once."""
        ...
