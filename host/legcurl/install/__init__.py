"""What an installer does to a sensor: put the firmware on a board, calibrate it, find its faults."""
