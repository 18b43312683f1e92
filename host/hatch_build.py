"""Build hook: takes along what the package needs from outside host/, where it is outside.

The simulator runs the firmware and the installer flashes it, so it travels inside the package as
legcurl/_firmware; what an operator installs beside the program as legcurl/_deploy; the licence goes
with both kinds of archive. In a checkout firmware and licence stand beside host/. An sdist holds
them where hatchling finds them by itself, so that a wheel built from it needs nothing from here. An
editable install runs the checkout's own files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CheckoutFiles(BuildHookInterface):
    """Adds the checkout's firmware and licence to wheels and sdists."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name what is to be included, and where, before the archive is begun."""
        host = Path(self.root)
        if version == "editable" or (host / "legcurl" / "_firmware").is_dir():
            return
        licence = "LICENSE"
        if self.target_name == "wheel":
            project = self.build_config.builder.artifact_project_id
            licence = f"{project}.dist-info/licenses/LICENSE"
        build_data["force_include"] |= {
            str(host.parent / "firmware"): "legcurl/_firmware",
            str(host / "deploy"): "legcurl/_deploy",
            str(host.parent / "LICENSE"): licence,
        }
