"""A sensor without hardware: lifter and machine as physics, the real firmware in front of them."""
