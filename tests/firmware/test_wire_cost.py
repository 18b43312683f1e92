"""What a set costs on the wire, measured where it counts: behind the firmware."""

import pytest
from legcurl.links.sim_address import parse_address
from legcurl.protocol.frame import Samples
from legcurl.simulator.runner import find_engine
from legcurl.simulator.world import World
from sensor_process import decode, run_to_the_end

GOAL_BYTES = 1.5  # a sample at 100 Hz, all included


@pytest.mark.parametrize("lifter", ["steady", "sloppy"])
def test_a_sample_at_100_hz_costs_at_most_a_byte_and_a_half(lifter: str) -> None:
    options = parse_address(f"sim:?seed=20001&lifter={lifter}&pace=fast")
    received = run_to_the_end(find_engine(), b"".join(World(options).records()))
    frames = decode(received)
    samples = sum(len(frame.angles) for frame in frames if isinstance(frame, Samples))
    assert samples > 5000
    assert len(received) / samples <= GOAL_BYTES
