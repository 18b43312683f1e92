"""The result of a check: a state, one sentence, and a remedy; for `calibrate` and `doctor`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    `said` describes it; `remedy` says what to do, and is empty if there is nothing to do. With a
    note the sensor still works; with a problem it does not.
    """

    subject: str
    state: State
    said: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """For a JSON document."""
        return asdict(self)

    def sentence(self) -> str:
        """The finding and its remedy, in one line."""
        return f"{self.said} {self.remedy}".rstrip()


def command(verb: str, address: str, options: str = "") -> str:
    """A command line for this sensor, to copy into a shell."""
    return f"legcurl {verb} {shlex.quote(address)} {options}".rstrip()


def problems(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that are problems."""
    return [finding for finding in findings if finding.state == "problem"]
