"""Ways to a sensor: each takes bytes and gives bytes; none looks inside."""
