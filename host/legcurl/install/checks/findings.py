"""What a check found: a state, one plain sentence, and what to do about it.

`legcurl calibrate` and `legcurl doctor` measure different things and end in the same list.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `said` tells what is; `remedy` what to do about it, or is empty where there is nothing to do. A
    note is worth knowing and spoils nothing; a problem spoils what the sensor is there for.
    """

    subject: str
    state: State
    said: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.said} {self.remedy}".rstrip()


def command(verb: str, address: str, options: str = "") -> str:
    """A command line about this sensor, as somebody can copy it into a shell."""
    return f"legcurl {verb} {shlex.quote(address)} {options}".rstrip()


def problems(findings: Iterable[Finding]) -> list[Finding]:
    """Those that must be put right."""
    return [finding for finding in findings if finding.state == "problem"]
