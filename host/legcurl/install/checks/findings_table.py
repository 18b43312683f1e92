"""Findings as rows: state, subject, sentence, and the remedy below it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from legcurl.install.checks.findings import Finding, problems

STATE_WORDS = {"ok": "ok", "note": "note", "problem": "PROBLEM"}
_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


def findings_table(findings: Iterable[Finding]) -> Table:
    """Findings as a table for a terminal."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        said = Text(finding.said, "" if finding.state == "ok" else "bold")
        if finding.remedy:
            said.append(f"\n{finding.remedy}", "default not bold")
        table.add_row(
            Text(STATE_WORDS[finding.state], _STYLES[finding.state]),
            Text(finding.subject, "dim"),
            said,
        )
    return table


def finding_line(finding: Finding) -> str:
    """A finding as a line for a pipe."""
    return f"{STATE_WORDS[finding.state]:<8} {finding.subject:<14} {finding.sentence()}"


def summary(findings: Iterable[Finding]) -> str:
    """The number of problems and notes, in a sentence."""
    found = list(findings)
    bad = len(problems(found))
    notes = sum(finding.state == "note" for finding in found)
    counted = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for count, word in ((bad, "problem"), (notes, "note"))
        if count
    ]
    return f"{' and '.join(counted)}." if counted else "No problems found."
