"""Assembles the firmware's PIO program on this VM and prints it as JSON: SHIMS FIRMWARE."""

import sys

shims, firmware = sys.argv[1:3]
real_stdout = sys.stdout
sys.path.insert(0, shims)
import simimports  # noqa: E402

simimports.install(shims, firmware)

import json  # noqa: E402

from sensor.encoders.quadrature_pio import (  # noqa: E402
    FREQUENCY,
    LONGEST_ROUND,
    count_edges,
)

real_stdout.write(
    json.dumps(
        {
            "words": count_edges.words,
            "wrap_target": count_edges.wrap_target,
            "wrap": count_edges.wrap,
            "options": count_edges.options,
            "longest_round": LONGEST_ROUND,
            "frequency": FREQUENCY,
        }
    )
    + "\n"
)
