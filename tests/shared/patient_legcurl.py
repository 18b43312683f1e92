"""`legcurl`, whose own limit for a service to end, which a busy computer exceeds, is the tests'."""

from __future__ import annotations

import sys

from legcurl.cli import main
from legcurl.cli.shared import signals
from timings import LIMIT_S

if __name__ == "__main__":
    signals.ENDS_WITHIN_S = LIMIT_S
    sys.exit(main())
