"""What `calibrate`, `doctor` and `pair` share: their address, and how findings are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from legcurl.cli.shared.output import can_draw, write_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from legcurl.install.checks.findings import Finding
    from legcurl.links.address import Address


def installers_address(text: str) -> Address:
    """Read an address; a simulated sensor that names no lifter gets an installer's hand."""
    from legcurl.links.address import SimAddress, parse
    from legcurl.links.sim_address import check_lifter

    address = parse(text)
    if isinstance(address, SimAddress) and "lifter=" not in text:
        options = replace(address.options, lifter="installer")
        check_lifter(options)
        return SimAddress(options)
    return address


def write_findings(findings: Iterable[Finding]) -> None:
    """Write them as a table on a terminal, as lines elsewhere."""
    from legcurl.install.checks.findings_table import finding_line, findings_table

    if can_draw():
        write_rich(findings_table(findings))
        return
    for finding in findings:
        write_line(finding_line(finding))


def write_rich(*parts: RenderableType) -> None:
    """Write what rich draws to stdout, in colour where that is a terminal that has any."""
    from rich.console import Console

    from legcurl.cli.shared.output import reader_needed

    console = Console(highlight=False)
    with reader_needed():
        for part in parts:
            console.print(part)
