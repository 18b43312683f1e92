"""What is measured of a sensor's stream, and what it means."""
