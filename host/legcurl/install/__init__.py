"""What an installer does to a sensor: put its firmware on it, calibrate it, find its faults."""
