"""Sensors by Bluetooth Low Energy, through bleak."""
