"""Puts a sensor into service: a board's port or a sensor's address in; findings and records out."""
